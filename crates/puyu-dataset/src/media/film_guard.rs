//! What an mp4 claims, checked before its tables are followed.
//!
//! The reader of mp4 makes an entry per claimed sample, also where all have one size and the file
//! holds no table of them, and it never comes to the end of a box that claims no bytes. It also
//! subtracts the time of a track's last sample from the track's duration, which may be earlier.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;

use super::media_fault;
use crate::fault::Fault;

/// Samples of all tracks together: 38 hours of 60 pictures a second, and 450 MiB of entries.
const MAX_SAMPLES: u64 = 8 << 20;

/// Tracks; films have one for the pictures and one for each language.
const MAX_TRACKS: usize = 256;

/// The bytes of an mp4, with the longest duration there is in the place of its tracks' own.
pub(super) struct Mp4Reader<'a> {
    cursor: Cursor<&'a [u8]>,
    durations: Vec<Range<u64>>,
}

impl Read for Mp4Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let start = self.cursor.position();
        let n = self.cursor.read(into)?;
        let end = start + n as u64;
        for duration in &self.durations {
            let place = |at: u64| (at.clamp(start, end) - start) as usize;
            into[place(duration.start)..place(duration.end)].fill(0xFF);
        }
        Ok(n)
    }
}

impl Seek for Mp4Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.cursor.seek(to)
    }
}

/// Refuses an mp4 whose boxes do not fill each other exactly, or that claims too many samples:
/// more than [`MAX_SAMPLES`], or more than it has bytes.
pub(super) fn admit_mp4(bytes: &[u8]) -> Result<Mp4Reader<'_>, Fault> {
    let most = MAX_SAMPLES.min(bytes.len() as u64);
    let mut n_samples = 0_u64;
    let mut durations = Vec::new();
    let mut insides = vec![bytes];
    while let Some(inside) = insides.pop() {
        let is_file = inside.len() == bytes.len();
        let mut rest = inside;
        while !rest.is_empty() {
            if is_file && rest.starts_with(&[0; 4]) {
                // The last box of a file may leave its size open.
                break;
            }
            let (name, content, behind) = split_box(rest)
                .ok_or_else(|| media_fault("an mp4 of whole boxes", "a box that is cut off"))?;
            rest = behind;
            durations.extend(duration_in(name, content).map(|place| {
                let start = (content.as_ptr().addr() - bytes.as_ptr().addr()) as u64;
                start + place.start..start + place.end
            }));
            if durations.len() > MAX_TRACKS {
                return Err(media_fault(format!("at most {MAX_TRACKS} tracks"), "more"));
            }
            insides.push(boxes_in(name, content)?);
            n_samples = n_samples.saturating_add(samples_of(name, content));
            if n_samples > most {
                let found = format!("{n_samples} or more");
                return Err(media_fault(format!("at most {most} samples"), found));
            }
        }
    }
    Ok(Mp4Reader { cursor: Cursor::new(bytes), durations })
}

/// Where a box has the duration of a track: in a media header, of either version.
fn duration_in(name: [u8; 4], content: &[u8]) -> Option<Range<u64>> {
    match (&name, content.first()?) {
        (b"mdhd", 0) if content.len() >= 20 => Some(16..20),
        (b"mdhd", 1) if content.len() >= 32 => Some(24..32),
        _ => None,
    }
}

/// The name and content of the first box, and what follows it.
///
/// # Source
///
/// ISO/IEC 14496-12, 4.2.
fn split_box(bytes: &[u8]) -> Option<([u8; 4], &[u8], &[u8])> {
    let (size, behind) = bytes.split_first_chunk::<4>()?;
    let (name, behind) = behind.split_first_chunk::<4>()?;
    let (length, behind) = match u32::from_be_bytes(*size) {
        1 => {
            let (size, behind) = behind.split_first_chunk::<8>()?;
            (u64::from_be_bytes(*size).checked_sub(16)?, behind)
        }
        size => (u64::from(size).checked_sub(8)?, behind),
    };
    let (content, behind) = behind.split_at_checked(usize::try_from(length).ok()?)?;
    Some((*name, content, behind))
}

/// The boxes inside a box; nothing for one that holds none.
fn boxes_in(name: [u8; 4], content: &[u8]) -> Result<&[u8], Fault> {
    let fields = match &name {
        b"moov" | b"trak" | b"mdia" | b"minf" | b"dinf" | b"stbl" | b"edts" | b"mvex" | b"moof"
        | b"traf" | b"udta" | b"ilst" | b"wave" | b"covr" | b"desc" | b"\xA9nam" | b"\xA9day" => 0,
        // QuickTime leaves out version and flags.
        b"meta" => usize::from(content.starts_with(&[0; 4])) * 4,
        b"stsd" => 8,
        b"avc1" | b"avc3" | b"hvc1" | b"hev1" | b"av01" | b"vp08" | b"vp09" => 78,
        // Version 1 is QuickTime's, with 16 bytes more.
        b"mp4a" if content.get(8..10) == Some(&[0, 1][..]) => 44,
        b"mp4a" => 28,
        _ => return Ok(&[]),
    };
    content.get(fields..).ok_or_else(|| {
        let expected = format!("{fields} bytes or more in {}", name.escape_ascii());
        media_fault(expected, format!("{} bytes", content.len()))
    })
}

/// The samples that a box claims.
fn samples_of(name: [u8; 4], content: &[u8]) -> u64 {
    let at = match &name {
        b"stsz" => 8,
        b"trun" => 4,
        _ => return 0,
    };
    let count = content.get(at..).and_then(|count| count.first_chunk::<4>());
    count.map_or(0, |count| u32::from_be_bytes(*count).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes()[..], name, content].concat()
    }

    /// A film whose table claims this many samples of one byte.
    fn film(n_samples: u32) -> Vec<u8> {
        let fields = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &n_samples.to_be_bytes()].concat();
        let table = [b"stbl", b"minf", b"mdia", b"trak", b"moov"]
            .into_iter()
            .fold(boxed(b"stsz", &fields), |inside, name| boxed(name, &inside));
        [boxed(b"ftyp", b"isom\0\0\0\0"), table, boxed(b"mdat", &[0; 100])].concat()
    }

    #[test]
    fn no_more_samples_are_followed_than_there_can_be() {
        assert!(admit_mp4(&film(100)).is_ok());
        for n_samples in [300, 1 << 24, u32::MAX] {
            let fault = admit_mp4(&film(n_samples)).err().unwrap().to_string();
            assert!(fault.contains("samples"), "{n_samples}: {fault}");
        }
        let run = boxed(b"trun", &[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert!(admit_mp4(&boxed(b"moof", &boxed(b"traf", &run))).is_err());
    }

    #[test]
    fn boxes_must_fill_each_other() {
        let endless = [0, 0, 0, 0, b'f', b'r', b'e', b'e'];
        assert!(admit_mp4(&[film(9), endless.to_vec()].concat()).is_ok());
        for inside in [&endless[..], b"\0\0\0\x07free", b"\0\0\0\x09free", b"\0\0\0\0", b"\0"] {
            assert!(admit_mp4(&boxed(b"moov", inside)).is_err(), "{inside:?}");
            let inside = [&[0; 4][..], inside].concat();
            assert!(admit_mp4(&boxed(b"udta", &boxed(b"meta", &inside))).is_err(), "{inside:?}");
        }
        let wide = [&[0, 0, 0, 1][..], b"mdat", &20_u64.to_be_bytes(), &[7; 4]].concat();
        assert!(admit_mp4(&wide).is_ok());
        assert!(admit_mp4(&wide[..19]).is_err());
        assert!(admit_mp4(&boxed(b"stsd", b"12345678\0\0\0\x0Aavc1no")).is_err());
    }

    #[test]
    fn tracks_last_as_long_as_can_be() {
        let mut header = boxed(b"mdhd", &[0; 24]);
        header.extend(boxed(b"mdhd", &[&[1][..], &[0; 35]].concat()));
        let bytes = boxed(b"moov", &header);
        let mut read = Vec::new();
        admit_mp4(&bytes).unwrap().read_to_end(&mut read).unwrap();
        let changed: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] != read[at]).collect();
        assert_eq!(changed, (32..36).chain(72..80).collect::<Vec<_>>());
        assert!(read[32..36].iter().chain(&read[72..80]).all(|&byte| byte == 0xFF));
        assert!(admit_mp4(&boxed(b"moov", &header.repeat(200))).is_err());
    }

    #[test]
    fn boxes_inside_each_other_without_end_need_no_stack() {
        let depths = (1..=100_000_u32).rev();
        let bytes: Vec<u8> =
            depths.flat_map(|n| [(n * 8).to_be_bytes(), *b"moov"].concat()).collect();
        assert!(admit_mp4(&bytes).is_ok());
    }
}
