//! Other sizes of a picture, and the form that vision towers take.

use fast_image_resize as fir;
use fir::images::Image;
use fir::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use super::picture::Picture;
use crate::error::DatasetError;

/// The most pixels of a result: what [`PictureOptions`](super::PictureOptions) admits by default.
/// A line of 1 x 60 000 whose short side becomes 336 would have 6.8 G.
const MAX_PIXELS: u64 = 64_000_000;

/// How pixels of another size are computed.
///
/// All but [`Filter::Nearest`] widen with the step when a picture shrinks, as Pillow does, so that
/// every pixel of the source counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The nearest pixel. Only for masks and labels.
    Nearest,
    /// The mean of the pixels covered.
    Box,
    /// A tent of one pixel.
    Bilinear,
    /// Cubic with a = -0.5, Pillow's `BICUBIC`: what CLIP and its kin were trained with.
    Bicubic,
    /// A sinc of three lobes.
    Lanczos,
}

/// Mean and standard deviation of red, green and blue, on the scale from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// What is subtracted.
    pub mean: [f32; 3],
    /// What is then divided by; no zero.
    pub std: [f32; 3],
}

impl Normalisation {
    /// The constants of CLIP, which InternLM-XComposer's vision tower keeps.
    pub const CLIP: Self = Self {
        mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
        std: [0.268_629_5, 0.261_302_6, 0.275_777_1],
    };
    /// The constants of ImageNet, which InternViT uses.
    pub const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
}

impl Default for Normalisation {
    fn default() -> Self {
        Self::CLIP
    }
}

impl Picture {
    /// The picture in another size, without regard to its proportions.
    ///
    /// Uses the vector instructions of the processor it runs on.
    ///
    /// # Errors
    ///
    /// If a side is 0 or the result would have more than 64 M pixels.
    pub fn resize(&self, width: u32, height: u32, filter: Filter) -> Result<Self, DatasetError> {
        check_size(width, height)?;
        if (width, height) == (self.width(), self.height()) {
            return Ok(self.clone());
        }
        // The resizer is built for four channels, which vector registers like; the fourth is empty.
        let padded: Vec<u8> =
            self.as_rgb().chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 0]).collect();
        let source = Image::from_vec_u8(self.width(), self.height(), padded, PixelType::U8x4)
            .expect("a picture has three bytes per pixel, so this has four");
        let mut target = Image::new(width, height, PixelType::U8x4);
        let options = ResizeOptions::new().resize_alg(algorithm(filter)).use_alpha(false);
        Resizer::new()
            .resize(&source, &mut target, &options)
            .expect("both images have the same pixel type and the whole source is used");
        let rgb = target.buffer().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        Ok(Self::from_rgb(width, height, rgb).expect("the target has width x height pixels"))
    }

    /// The picture with its shorter side at `side` pixels and its proportions kept.
    ///
    /// The longer side is rounded down, as torchvision does.
    ///
    /// # Errors
    ///
    /// If `side` is 0 or the result would have more than 64 M pixels.
    pub fn resize_shortest(&self, side: u32, filter: Filter) -> Result<Self, DatasetError> {
        let (width, height) = (u64::from(self.width()), u64::from(self.height()));
        let long = u64::from(side) * width.max(height) / width.min(height);
        let long = u32::try_from(long).unwrap_or(u32::MAX);
        if width < height {
            self.resize(side, long, filter)
        } else {
            self.resize(long, side, filter)
        }
    }

    /// The middle of the picture; all of a side that is shorter than asked for.
    ///
    /// # Errors
    ///
    /// If a side is 0.
    pub fn center_crop(&self, width: u32, height: u32) -> Result<Self, DatasetError> {
        let (width, height) = (width.min(self.width()), height.min(self.height()));
        check_size(width, height)?;
        let (left, top) = ((self.width() - width) / 2, (self.height() - height) / 2);
        let (left, columns) = (3 * left as usize, 3 * width as usize);
        let rgb = self
            .as_rgb()
            .chunks_exact(3 * self.width() as usize)
            .skip(top as usize)
            .take(height as usize)
            .flat_map(|row| &row[left..left + columns])
            .copied()
            .collect();
        Ok(Self::from_rgb(width, height, rgb).expect("height rows of width pixels were taken"))
    }

    /// The picture as a vision tower takes it: `size` x `size`, bicubic, with CLIP's constants.
    ///
    /// The proportions are not kept, as InternLM-XComposer does it; for CLIP's own way, call
    /// [`Picture::resize_shortest`] and [`Picture::center_crop`] with the same size before.
    ///
    /// # Shapes
    ///
    /// `[3, size, size]`: all red, then all green, then all blue, rows from the top.
    ///
    /// # Errors
    ///
    /// If `size` is 0 or the result would have more than 64 M pixels.
    ///
    /// # Examples
    ///
    /// ```
    /// use puyu_dataset::media::{Normalisation, Picture};
    ///
    /// let white = Picture::from_rgb(1, 1, vec![255; 3])?;
    /// let planes = white.for_vision_tower(2)?;
    /// assert_eq!(planes.len(), 3 * 2 * 2);
    /// assert!((planes[0] - (1.0 - 0.48145466) / 0.26862954).abs() < 1e-5);
    /// assert_eq!(planes, white.for_vision_tower_with(2, &Normalisation::CLIP)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_vision_tower(&self, size: u32) -> Result<Vec<f32>, DatasetError> {
        self.for_vision_tower_with(size, &Normalisation::CLIP)
    }

    /// As [`Picture::for_vision_tower`], with other constants.
    ///
    /// # Errors
    ///
    /// As there, and if a standard deviation is 0 or a constant is no number.
    pub fn for_vision_tower_with(
        &self,
        size: u32,
        normalisation: &Normalisation,
    ) -> Result<Vec<f32>, DatasetError> {
        let Normalisation { mean, std } = *normalisation;
        if std.contains(&0.0) || mean.iter().chain(&std).any(|value| !value.is_finite()) {
            return Err(DatasetError::Option {
                option: "normalisation",
                expected: "finite numbers, no standard deviation of 0".into(),
                found: format!("{normalisation:?}"),
            });
        }
        let sized = self.resize(size, size, Filter::Bicubic)?;
        let rgb = sized.as_rgb();
        let plane = |channel: usize| {
            let values = rgb[channel..].iter().step_by(3);
            values.map(move |&v| (f32::from(v) / 255.0 - mean[channel]) / std[channel])
        };
        Ok([0, 1, 2].into_iter().flat_map(plane).collect())
    }
}

fn check_size(width: u32, height: u32) -> Result<(), DatasetError> {
    if width == 0 || height == 0 {
        return Err(DatasetError::Option {
            option: "size",
            expected: "sides of at least 1 pixel".into(),
            found: format!("{width} x {height}"),
        });
    }
    let needed = u64::from(width) * u64::from(height);
    if needed > MAX_PIXELS {
        let what = format!("a picture of {width} x {height} pixels");
        return Err(DatasetError::Limit { what, needed, limit: MAX_PIXELS });
    }
    Ok(())
}

fn algorithm(filter: Filter) -> ResizeAlg {
    match filter {
        Filter::Nearest => ResizeAlg::Nearest,
        Filter::Box => ResizeAlg::Convolution(FilterType::Box),
        Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
        Filter::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
    }
}
