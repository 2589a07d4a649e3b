//! One picture: what its header says, and its pixels.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use serde::{Deserialize, Serialize};

use super::{guarded, media_fault};
use crate::fault::{Fault, FaultKind};

/// The widest pixel a decoder writes: four channels of 16 bits.
const BYTES_PER_PIXEL: u64 = 8;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PictureFormat {
    /// Baseline or progressive.
    Jpeg,
    /// Any bit depth, also interlaced.
    Png,
    /// Lossy or lossless; of an animation, the first picture.
    Webp,
}

/// What a picture's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureInfo {
    /// The format, by its first bytes; file names are not asked.
    pub format: PictureFormat,
    /// Pixels, as stored: before the orientation is applied.
    pub width: u32,
    /// Pixels, as stored: before the orientation is applied.
    pub height: u32,
}

/// How much a picture may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PictureOptions {
    /// The longest encoded picture, in bytes. 64 MiB: beyond every photograph, below a film.
    pub max_bytes: u64,
    /// The most pixels, width times height. 64 M: a page of 300 dpi has 9 M, a large camera 60 M,
    /// and the decoded form stays below 512 MiB.
    pub max_pixels: u64,
    /// The longest side, in pixels. 65 535: the most that JPEG can say.
    pub max_side: u32,
}

impl Default for PictureOptions {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_pixels: 64_000_000, max_side: 65_535 }
    }
}

impl PictureOptions {
    /// Refuses a picture whose header asks for too much.
    pub(super) fn admit(&self, width: u32, height: u32) -> Result<(), Fault> {
        if width == 0 || height == 0 {
            return Err(size_fault("a picture with pixels", width, height));
        }
        if width.max(height) > self.max_side {
            let expected = format!("sides of at most {} pixels", self.max_side);
            return Err(size_fault(expected, width, height));
        }
        if u64::from(width) * u64::from(height) > self.max_pixels {
            let expected = format!("at most {} pixels", self.max_pixels);
            return Err(size_fault(expected, width, height));
        }
        Ok(())
    }

    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.max_image_width = Some(self.max_side);
        limits.max_image_height = Some(self.max_side);
        limits.max_alloc =
            Some(self.max_pixels.saturating_mul(BYTES_PER_PIXEL).saturating_add(self.max_bytes));
        limits
    }
}

/// A decoded picture: red, green and blue, a byte each, rows from the top.
///
/// # Examples
///
/// ```
/// use puyu_dataset::media::{Filter, Picture};
///
/// let red = Picture::from_rgb(2, 1, vec![255, 0, 0, 255, 0, 0])?;
/// let larger = red.resize(6, 4, Filter::Bicubic)?;
/// assert_eq!((larger.width(), larger.height()), (6, 4));
/// assert_eq!(larger.pixel(5, 3), Some([255, 0, 0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// A picture from its pixels.
    ///
    /// # Errors
    ///
    /// If `rgb` has not exactly three bytes per pixel, or there is no pixel.
    pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self, Fault> {
        let expected = u64::from(width) * u64::from(height);
        let pixels = (rgb.len() as u64).checked_div(3).filter(|_| rgb.len().is_multiple_of(3));
        if expected == 0 || pixels != Some(expected) {
            return Err(media_fault(
                format!("{width} x {height} pixels of 3 bytes, at least one"),
                format!("{} bytes", rgb.len()),
            ));
        }
        Ok(Self { width, height, rgb })
    }

    /// Pixels per row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All pixels, row by row from the top, three bytes each.
    pub fn as_rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The pixels, without a copy.
    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// One pixel, counted from the upper left; `None` outside of the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let at = 3 * (y as usize * self.width as usize + x as usize);
        Some([self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]])
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} x {})", self.width, self.height)
    }
}

/// Reads a picture's header, and nothing else of it.
///
/// # Errors
///
/// A [`FaultKind::Media`] fault if the bytes are no JPEG, PNG or WebP, or their header is damaged.
///
/// # Examples
///
/// ```
/// use puyu_dataset::media::probe;
///
/// let fault = probe(b"<html>404 Not Found</html>").unwrap_err();
/// assert_eq!(fault.to_string(), "expected a JPEG, PNG or WebP picture, found 26 bytes of none");
/// ```
pub fn probe(bytes: &[u8]) -> Result<PictureInfo, Fault> {
    let format = format_of(bytes)?;
    guarded("a readable header", || {
        let decoder = open(bytes, format, Limits::no_limits())?;
        let (width, height) = decoder.dimensions();
        Ok(PictureInfo { format, width, height })
    })
}

/// Decodes a picture to RGB, as a viewer would show it on white paper.
///
/// The orientation that a camera noted is applied, transparent parts become white, gray and
/// 16-bit pictures become three channels of 8 bits. Colour profiles are not applied.
///
/// # Errors
///
/// A [`FaultKind::Media`] fault if the bytes are no JPEG, PNG or WebP, are damaged or cut off, or
/// if the header asks for more than `options` allow; the latter before memory is asked for.
pub fn decode(bytes: &[u8], options: &PictureOptions) -> Result<Picture, Fault> {
    if bytes.len() as u64 > options.max_bytes {
        let expected = format!("at most {} bytes", options.max_bytes);
        return Err(media_fault(expected, format!("{} bytes", bytes.len())));
    }
    let info = probe(bytes)?;
    options.admit(info.width, info.height)?;
    if info.format == PictureFormat::Jpeg && !jpeg_is_whole(bytes) {
        return Err(media_fault("a whole JPEG", "one that is cut off before its end mark"));
    }
    guarded("a decodable picture", || {
        let mut decoder = open(bytes, info.format, options.limits())?;
        // A broken EXIF block is no reason to lose a picture whose pixels are whole.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut decoded = DynamicImage::from_decoder(decoder)
            .map_err(|error| media_fault("a decodable picture", error))?;
        decoded.apply_orientation(orientation);
        let (width, height) = (decoded.width(), decoded.height());
        Picture::from_rgb(width, height, on_white(decoded))
    })
}

fn open<'a>(
    bytes: &'a [u8],
    format: PictureFormat,
    limits: Limits,
) -> Result<impl ImageDecoder + 'a, Fault> {
    let format = match format {
        PictureFormat::Jpeg => ImageFormat::Jpeg,
        PictureFormat::Png => ImageFormat::Png,
        PictureFormat::Webp => ImageFormat::WebP,
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    reader.into_decoder().map_err(|error| media_fault("a readable header", error))
}

fn format_of(bytes: &[u8]) -> Result<PictureFormat, Fault> {
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => Ok(PictureFormat::Jpeg),
        Ok(ImageFormat::Png) => Ok(PictureFormat::Png),
        Ok(ImageFormat::WebP) => Ok(PictureFormat::Webp),
        Ok(other) => Err(media_fault("a JPEG, PNG or WebP picture", other.to_mime_type())),
        Err(_) => {
            let found = format!("{} bytes of none", bytes.len());
            Err(media_fault("a JPEG, PNG or WebP picture", found))
        }
    }
}

/// Whether a JPEG reaches its end mark.
///
/// The decoder fills what is missing of a cut-off file with gray and reports success: right for a
/// viewer, wrong for training. Segments state their length; in scans every 0xFF is followed by 0 or
/// a restart mark, so the marks can be followed without decoding. Bytes behind the end are allowed.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        let Some(step) = bytes.get(at..).and_then(|rest| memchr::memchr(0xFF, rest)) else {
            return false;
        };
        at += step + 1;
        match bytes.get(at) {
            None => return false,
            Some(0xD9) => return true,
            Some(0x00 | 0x01 | 0xD0..=0xD8) => at += 1,
            Some(0xFF) => {}
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(length) => {
                    at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]]));
                }
                None => return false,
            },
        }
    }
}

fn on_white(decoded: DynamicImage) -> Vec<u8> {
    if !decoded.color().has_alpha() {
        return decoded.into_rgb8().into_raw();
    }
    let rgba = decoded.into_rgba8();
    let over = |channel: u8, alpha: u8| {
        let (channel, alpha) = (u32::from(channel), u32::from(alpha));
        // At most (255 * 255 + 127) / 255 = 255.
        ((channel * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    rgba.pixels().flat_map(|pixel| [0, 1, 2].map(|i| over(pixel.0[i], pixel.0[3]))).collect()
}

fn size_fault(expected: impl Into<String>, width: u32, height: u32) -> Fault {
    Fault::row(FaultKind::Media, expected, format!("{width} x {height}"))
}
