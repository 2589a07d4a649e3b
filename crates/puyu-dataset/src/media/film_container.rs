//! Where the packets of a film are: mp4 and mkv.

use std::io::Cursor;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use matroska_demuxer::{Frame, MatroskaFile, TrackType};
use re_mp4::{Mp4, StsdBoxContent, TrackKind};

use super::film::damaged;
use super::film_guard::admit_mp4;
use super::{guarded, media_fault};
use crate::error::DatasetError;
use crate::fault::Fault;

const START: [u8; 4] = [0, 0, 0, 1];
/// An instantaneous refresh: decoding can begin here.
const NAL_IDR: u8 = 5;
const HINT: &str = "convert it to H.264 in mp4 or mkv first, for example with \
                    `ffmpeg -i in -c:v libx264 -pix_fmt yuv420p out.mp4`";

/// One packet, in the order of decoding.
#[derive(Debug)]
pub(super) struct Packet {
    /// When its picture appears, after the first picture of the film.
    pub time_s: f64,
    /// Whether decoding can begin here.
    pub is_key: bool,
    /// Where it is in the file; empty in mkv, which has to be walked.
    range: Range<usize>,
}

/// The packets of a film's first H.264 track.
#[derive(Debug)]
pub(super) struct Index {
    pub container: &'static str,
    pub width: u32,
    pub height: u32,
    pub packets: Vec<Packet>,
    /// Sequence and picture parameter sets, in Annex B form.
    pub parameter_sets: Vec<u8>,
    /// Bytes of the length before each unit.
    length_bytes: usize,
    track: u64,
}

/// Why a film does not open: damaged, or a codec that is not read.
enum Refusal {
    Damaged(Fault),
    Codec(String),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Damaged(fault)
    }
}

impl Index {
    pub(super) fn read(path: &Path, bytes: &Bytes) -> Result<Self, DatasetError> {
        let unsupported = |what: String| DatasetError::Unsupported {
            path: path.to_owned(),
            what,
            hint: HINT.into(),
        };
        let (format, read): (_, fn(&Bytes) -> Result<Self, Refusal>) = match bytes.get(..8) {
            Some([_, _, _, _, b'f', b't', b'y', b'p']) => ("mp4", read_mp4),
            Some([0x1A, 0x45, 0xDF, 0xA3, ..]) => ("mkv", read_mkv),
            _ => return Err(unsupported("a film that is neither mp4 nor mkv".into())),
        };
        match guarded("a readable film", || Ok(read(bytes))).and_then(|result| match result {
            Err(Refusal::Damaged(fault)) => Err(fault),
            Err(Refusal::Codec(codec)) => Ok(Err(codec)),
            Ok(index) => Ok(Ok(index)),
        }) {
            Ok(Ok(index)) => Ok(index),
            Ok(Err(codec)) => Err(unsupported(format!("codec {codec}"))),
            Err(fault) => Err(damaged(path, format, &fault)),
        }
    }

    /// The packets' numbers in the order in which their pictures appear.
    pub(super) fn presentation_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.packets.len()).collect();
        order.sort_by(|&a, &b| self.packets[a].time_s.total_cmp(&self.packets[b].time_s));
        order
    }

    /// From the key frame at or before a packet to the next one.
    pub(super) fn group_of(&self, packet: usize) -> Range<usize> {
        let start = (0..=packet).rev().find(|&at| self.packets[at].is_key).unwrap_or(0);
        let end = (packet + 1..self.packets.len()).find(|&at| self.packets[at].is_key);
        start..end.unwrap_or(self.packets.len())
    }

    fn finish(mut self, config: &[u8]) -> Result<Self, Refusal> {
        if self.packets.is_empty() {
            return Err(media_fault("a film with pictures", "none").into());
        }
        let first = self.packets.iter().map(|packet| packet.time_s).fold(f64::INFINITY, f64::min);
        self.packets.iter_mut().for_each(|packet| packet.time_s -= first);
        (self.length_bytes, self.parameter_sets) = parameter_sets(config)?;
        Ok(self)
    }
}

/// The packets' bytes. In mkv they must be asked for in rising order.
pub(super) enum Container<'a> {
    Mp4 { bytes: &'a Bytes, index: &'a Index },
    Mkv { file: Box<MatroskaFile<Cursor<Bytes>>>, index: &'a Index, next: usize },
}

impl<'a> Container<'a> {
    pub(super) fn open(bytes: &'a Bytes, index: &'a Index) -> Result<Self, Fault> {
        if index.container == "mp4" {
            return Ok(Self::Mp4 { bytes, index });
        }
        let file = open_mkv(bytes)?;
        Ok(Self::Mkv { file: Box::new(file), index, next: 0 })
    }

    /// A packet with start codes in the place of lengths.
    pub(super) fn annex_b(&mut self, at: usize) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Mp4 { bytes, index } => {
                let range = index.packets[at].range.clone();
                let packet = bytes
                    .get(range.clone())
                    .ok_or_else(|| media_fault("a packet in the file", format!("{range:?}")))?;
                to_annex_b(packet, index.length_bytes)
            }
            Self::Mkv { file, index, next } => {
                let mut frame = Frame::default();
                while next_of(file, index.track, &mut frame)? {
                    *next += 1;
                    if *next == at + 1 {
                        return to_annex_b(&frame.data, index.length_bytes);
                    }
                }
                Err(media_fault("a packet in the file", format!("{next} packets")))
            }
        }
    }
}

fn read_mp4(bytes: &Bytes) -> Result<Index, Refusal> {
    let mp4 = Mp4::read(admit_mp4(bytes)?, bytes.len() as u64)
        .map_err(|error| media_fault("a readable mp4", error))?;
    let track = mp4
        .tracks()
        .values()
        .find(|track| track.kind == Some(TrackKind::Video))
        .ok_or_else(|| Refusal::Codec("of no known video track".into()))?;
    let StsdBoxContent::Avc1(avc) = &track.trak(&mp4).mdia.minf.stbl.stsd.contents else {
        return Err(Refusal::Codec(track.codec_string(&mp4).unwrap_or_else(|| "unknown".into())));
    };
    let packet = |sample: &re_mp4::Sample| {
        let end = sample.offset.saturating_add(sample.size);
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        Packet {
            time_s: sample.composition_timestamp as f64 / sample.timescale.max(1) as f64,
            is_key: sample.is_sync,
            range: place(sample.offset)..place(end),
        }
    };
    Index {
        container: "mp4",
        width: avc.width.into(),
        height: avc.height.into(),
        packets: track.samples.iter().map(packet).collect(),
        parameter_sets: Vec::new(),
        length_bytes: 0,
        track: track.track_id.into(),
    }
    .finish(&avc.avcc.raw)
}

fn read_mkv(bytes: &Bytes) -> Result<Index, Refusal> {
    let mut file = open_mkv(bytes)?;
    let track = file.tracks().iter().find(|track| track.track_type() == TrackType::Video);
    let track = track.ok_or_else(|| Refusal::Codec("of no video track".into()))?;
    if track.codec_id() != "V_MPEG4/ISO/AVC" || track.content_encodings().is_some() {
        let how = if track.content_encodings().is_some() { ", packed or encrypted" } else { "" };
        return Err(Refusal::Codec(format!("{}{how}", track.codec_id())));
    }
    let config = track.codec_private().unwrap_or_default().to_vec();
    let side = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let (width, height) = track
        .video()
        .map(|video| (side(video.pixel_width().get()), side(video.pixel_height().get())))
        .ok_or_else(|| media_fault("the size of the pictures", "none"))?;
    let (length_bytes, _) = parameter_sets(&config)?;
    let number = track.track_number().get();
    let tick_s = file.info().timestamp_scale().get() as f64 / 1e9;
    let (mut packets, mut frame) = (Vec::new(), Frame::default());
    while next_of(&mut file, number, &mut frame)? {
        let is_key = match frame.is_keyframe {
            Some(is_key) => is_key,
            None => units(&frame.data, length_bytes)
                .any(|unit| unit.is_ok_and(|unit| unit[0] & 31 == NAL_IDR)),
        };
        packets.push(Packet { time_s: frame.timestamp as f64 * tick_s, is_key, range: 0..0 });
    }
    let (container, track, parameter_sets) = ("mkv", number, Vec::new());
    Index { container, width, height, packets, parameter_sets, length_bytes, track }.finish(&config)
}

fn open_mkv(bytes: &Bytes) -> Result<MatroskaFile<Cursor<Bytes>>, Fault> {
    MatroskaFile::open(Cursor::new(bytes.clone()))
        .map_err(|error| media_fault("a readable mkv", error))
}

/// Reads the next packet of one track; false at the end of the file.
fn next_of(
    file: &mut MatroskaFile<Cursor<Bytes>>,
    track: u64,
    frame: &mut Frame,
) -> Result<bool, Fault> {
    loop {
        match file.next_frame(frame) {
            Ok(true) if frame.track != track => {}
            Ok(more) => return Ok(more),
            Err(error) => return Err(media_fault("a readable mkv", error)),
        }
    }
}

/// Reads an `avcC` record: the bytes of a unit's length, and the parameter sets in Annex B form.
///
/// # Source
///
/// ISO/IEC 14496-15, 5.3.3.1.
fn parameter_sets(config: &[u8]) -> Result<(usize, Vec<u8>), Fault> {
    let cut = || media_fault("an avcC record", format!("{} bytes", config.len()));
    let [1, _, _, _, lengths, n_sequence, rest @ ..] = config else { return Err(cut()) };
    let mut rest = rest;
    let mut sets = Vec::new();
    let mut take = |rest: &mut &[u8], n: u8| -> Option<()> {
        for _ in 0..n {
            let (length, behind) = rest.split_first_chunk::<2>()?;
            let (set, behind) = behind.split_at_checked(u16::from_be_bytes(*length).into())?;
            sets.extend(START);
            sets.extend(set);
            *rest = behind;
        }
        Some(())
    };
    take(&mut rest, n_sequence & 31).ok_or_else(cut)?;
    let (&n_picture, behind) = rest.split_first().ok_or_else(cut)?;
    rest = behind;
    take(&mut rest, n_picture).ok_or_else(cut)?;
    Ok((usize::from(lengths & 3) + 1, sets))
}

/// The units of a packet; none is empty.
fn units(packet: &[u8], length_bytes: usize) -> impl Iterator<Item = Result<&[u8], Fault>> {
    let mut rest = packet;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let unit = rest.split_at_checked(length_bytes).and_then(|(length, behind)| {
                let length = length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
                behind.split_at_checked(length)
            });
            let Some((unit, behind)) = unit else {
                rest = &[];
                return Some(Err(media_fault("whole H.264 units", "a packet that is cut off")));
            };
            rest = behind;
            if !unit.is_empty() {
                return Some(Ok(unit));
            }
        }
        None
    })
}

fn to_annex_b(packet: &[u8], length_bytes: usize) -> Result<Vec<u8>, Fault> {
    let mut stream = Vec::with_capacity(packet.len() + 64);
    for unit in units(packet, length_bytes) {
        stream.extend(START);
        stream.extend(unit?);
    }
    Ok(stream)
}
