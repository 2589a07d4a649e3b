//! One film: H.264 in mp4 or mkv, and its pictures by time.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use openh264::OpenH264API;
use openh264::decoder::{DecodedYUV, Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;

use super::film_container::{Container, Index};
use super::picture::{Picture, PictureOptions};
use super::{guarded, media_fault};
use crate::error::DatasetError;
use crate::fault::Fault;

/// What is known of a film without decoding it.
#[derive(Debug, Clone, PartialEq)]
pub struct FilmInfo {
    /// The codec; `h264` is the only one that opens.
    pub codec: &'static str,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// How long it lasts: from the first picture to the end of the last.
    pub duration_s: f64,
    /// Pictures.
    pub n_frames: usize,
}

/// A picture of a film.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// When it appears; the first picture of the film appears at 0.
    pub time_s: f64,
    /// What is seen.
    pub picture: Picture,
}

/// A film whose pictures can be asked for by time.
///
/// The file is mapped, not read: opening follows its tables, and only what lies between a key frame
/// and the pictures asked for is decoded.
///
/// # Examples
///
/// ```no_run
/// use puyu_dataset::media::Film;
///
/// let film = Film::open("节目.mp4")?;
/// let every_second: Vec<f64> = (0..film.info().duration_s as u32).map(f64::from).collect();
/// for frame in film.frames_at(&every_second)? {
///     let planes = frame.picture.for_vision_tower(336)?;
/// #   let _ = planes;
/// }
/// # Ok::<(), puyu_dataset::DatasetError>(())
/// ```
pub struct Film {
    path: PathBuf,
    bytes: Bytes,
    index: Index,
    info: FilmInfo,
    options: PictureOptions,
    /// Presentation times in order.
    times: Vec<f64>,
}

impl std::fmt::Debug for Film {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Film({}, {:?})", self.path.display(), self.info)
    }
}

impl Film {
    /// Opens a film, with the default limits on the size of its pictures.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is neither mp4 nor mkv, is damaged, has no H.264 track (the
    /// error names the codec it has), or its pictures are larger than [`PictureOptions`] allow.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        let bytes = crate::mapped::map(path)?;
        let index = Index::read(path, &bytes)?;
        let options = PictureOptions::default();
        options
            .admit(index.width, index.height)
            .map_err(|fault| damaged(path, index.container, &fault))?;
        let mut times: Vec<f64> = index.packets.iter().map(|packet| packet.time_s).collect();
        times.sort_by(f64::total_cmp);
        let last = times.last().copied().unwrap_or(0.0);
        let step = last / (times.len().max(2) - 1) as f64;
        let info = FilmInfo {
            codec: "h264",
            width: index.width,
            height: index.height,
            duration_s: last + step,
            n_frames: times.len(),
        };
        Ok(Self { path: path.to_owned(), bytes, index, info, options, times })
    }

    /// What is known of it without decoding.
    pub fn info(&self) -> &FilmInfo {
        &self.info
    }

    /// When each picture appears, in order.
    pub fn times_s(&self) -> &[f64] {
        &self.times
    }

    /// The pictures that are seen at the given times, one per time, in the order asked for.
    ///
    /// That is the last picture that has appeared by then: the first one for times before 0, the
    /// last one for times behind the end. Colours are converted as BT.601, limited range.
    ///
    /// # Errors
    ///
    /// If a time is no number, or the film is damaged where it has to be decoded.
    pub fn frames_at(&self, seconds: &[f64]) -> Result<Vec<Frame>, DatasetError> {
        if let Some(wrong) = seconds.iter().find(|time| time.is_nan()) {
            let (expected, found) = ("numbers".into(), wrong.to_string());
            return Err(DatasetError::Option { option: "seconds", expected, found });
        }
        let ranks: Vec<usize> = seconds
            .iter()
            .map(|&time| self.times.partition_point(|&t| t <= time).saturating_sub(1))
            .collect();
        let decoded = self.decode_ranks(&ranks)?;
        Ok(ranks.iter().map(|rank| decoded[rank].clone()).collect())
    }

    /// The pictures with these places in the order of presentation.
    fn decode_ranks(&self, ranks: &[usize]) -> Result<BTreeMap<usize, Frame>, DatasetError> {
        let broken = |fault: Fault| damaged(&self.path, "H.264", &fault);
        let order = self.index.presentation_order();
        let mut groups: BTreeMap<usize, (Range<usize>, Vec<usize>)> = BTreeMap::new();
        for &rank in ranks {
            let group = self.index.group_of(order[rank]);
            groups.entry(group.start).or_insert_with(|| (group, Vec::new())).1.push(rank);
        }
        let mut container = Container::open(&self.bytes, &self.index)
            .map_err(|f| damaged(&self.path, self.index.container, &f))?;
        let mut decoded = BTreeMap::new();
        for (group, wanted) in groups.into_values() {
            // Within a group, the decoder gives pictures in the order of presentation.
            let shown: Vec<usize> =
                (0..order.len()).filter(|&rank| group.contains(&order[rank])).collect();
            let frames = guarded("decodable H.264", || {
                self.decode_group(&mut container, group.clone(), &shown, &wanted)
            });
            decoded.extend(frames.map_err(broken)?);
        }
        Ok(decoded)
    }

    fn decode_group(
        &self,
        container: &mut Container<'_>,
        group: Range<usize>,
        shown: &[usize],
        wanted: &[usize],
    ) -> Result<Vec<(usize, Frame)>, Fault> {
        let refused = |error: openh264::Error| media_fault("decodable H.264", error);
        // Flushing after each packet would give pictures before those that appear earlier.
        let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let mut decoder =
            Decoder::with_api_config(OpenH264API::from_source(), config).map_err(refused)?;
        let mut frames = Vec::new();
        let mut ranks = shown.iter().copied();
        let mut take = |picture: &DecodedYUV<'_>| -> Result<(), Fault> {
            let rank = ranks.next();
            if let Some(rank) = rank.filter(|rank| wanted.contains(rank)) {
                let picture = self.to_picture(picture)?;
                frames.push((rank, Frame { time_s: self.times[rank], picture }));
            }
            Ok(())
        };
        for at in group.clone() {
            let mut packet = container.annex_b(at)?;
            if at == group.start {
                packet.splice(0..0, self.index.parameter_sets.iter().copied());
            }
            if let Some(picture) = decoder.decode(&packet).map_err(refused)? {
                take(&picture)?;
            }
        }
        for picture in decoder.flush_remaining().map_err(refused)? {
            take(&picture)?;
        }
        if let Some(missing) = wanted.iter().find(|rank| frames.iter().all(|(r, _)| r != *rank)) {
            let found = format!("none for {:.3} s", self.times[*missing]);
            return Err(media_fault("a picture per packet", found));
        }
        Ok(frames)
    }

    fn to_picture(&self, decoded: &DecodedYUV<'_>) -> Result<Picture, Fault> {
        let (width, height) = decoded.dimensions();
        let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.options.admit(side(width), side(height))?;
        let mut rgb = vec![0; width * height * 3];
        decoded.write_rgb8(&mut rgb);
        Picture::from_rgb(side(width), side(height), rgb)
    }
}

pub(super) fn damaged(path: &Path, format: &'static str, fault: &Fault) -> DatasetError {
    DatasetError::Container { path: path.to_owned(), format, source: fault.to_string().into() }
}
