//! One sound: its samples, and its samples at another rate.

use std::io::{Cursor, ErrorKind};

use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{
    Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};
use serde::{Deserialize, Serialize};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;

use super::{guarded, media_fault};
use crate::error::DatasetError;
use crate::fault::Fault;

/// The rates that are resampled between, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// How much a sound may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoundOptions {
    /// The longest encoded sound, in bytes. 512 MiB.
    pub max_bytes: u64,
    /// The longest sound, in seconds. An hour: 691 MB of stereo at 48 kHz once decoded.
    pub max_seconds: f64,
    /// The most channels. 8: what cinemas have.
    pub max_channels: usize,
}

impl Default for SoundOptions {
    fn default() -> Self {
        Self { max_bytes: 512 << 20, max_seconds: 3_600.0, max_channels: 8 }
    }
}

/// A decoded sound. Full scale is from -1 to 1.
#[derive(Clone, PartialEq)]
pub struct Sound {
    rate: u32,
    n_channels: usize,
    samples: Vec<f32>,
}

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rate, n_channels, .. } = self;
        write!(f, "Sound({:.3} s, {rate} Hz, {n_channels} channels)", self.seconds())
    }
}

impl Sound {
    /// Samples per second and channel.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Channels; at least one.
    pub fn n_channels(&self) -> usize {
        self.n_channels
    }

    /// Samples per channel.
    pub fn n_frames(&self) -> usize {
        self.samples.len() / self.n_channels
    }

    /// How long it lasts.
    pub fn seconds(&self) -> f64 {
        self.n_frames() as f64 / f64::from(self.rate)
    }

    /// All samples; those of one moment beside each other.
    pub fn as_interleaved(&self) -> &[f32] {
        &self.samples
    }

    /// One channel; nothing if there is no such channel.
    pub fn channel(&self, index: usize) -> impl Iterator<Item = f32> + '_ {
        let channels = if index < self.n_channels { &self.samples[..] } else { &[] };
        channels.iter().skip(index).step_by(self.n_channels).copied()
    }

    /// The mean of all channels.
    pub fn mono(&self) -> Self {
        let share = 1.0 / self.n_channels as f32;
        let mean = |frame: &[f32]| frame.iter().sum::<f32>() * share;
        let samples = self.samples.chunks_exact(self.n_channels).map(mean).collect();
        Self { rate: self.rate, n_channels: 1, samples }
    }

    /// The same sound at another rate, in Hz.
    ///
    /// A windowed sinc removes what the new rate cannot hold; beginning and length are kept.
    ///
    /// # Errors
    ///
    /// If either rate is not from 1 kHz to 768 kHz.
    pub fn resample(&self, rate: u32) -> Result<Self, DatasetError> {
        if rate == self.rate || self.samples.is_empty() {
            return Ok(Self { rate, ..self.clone() });
        }
        for rate in [rate, self.rate] {
            if !RATES.contains(&rate) {
                let (expected, found) = (format!("{RATES:?} Hz"), rate.to_string());
                return Err(DatasetError::Option { option: "rate", expected, found });
            }
        }
        let ratio = f64::from(rate) / f64::from(self.rate);
        // The filter spans a fixed number of input samples; stretched by the ratio, it is as sharp
        // at 8 kHz as at 48 kHz. 16 384 bounds it for the widest ratio.
        let length = ((256.0 / ratio.min(1.0)) as usize).min(16_384).next_multiple_of(8);
        let parameters = SincInterpolationParameters::new(length, WindowFunction::BlackmanHarris2)
            .interpolation(SincInterpolationType::Cubic);
        let refused = |error: String| DatasetError::Option {
            option: "rate",
            expected: "rates that the resampler takes".into(),
            found: error,
        };
        let channels = self.n_channels;
        let mut resampler =
            Async::<f32>::new_sinc(ratio, 1.0, &parameters, 1024, channels, FixedAsync::Input)
                .map_err(|error| refused(error.to_string()))?;
        let frames = self.n_frames();
        let input = InterleavedOwned::new_from(self.samples.clone(), channels, frames)
            .expect("a sound has n_channels samples per frame");
        let output = resampler
            .process_all(&input, frames, None)
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self { rate, n_channels: channels, samples: output.take_data() })
    }
}

/// Decodes FLAC, MP3, Ogg Vorbis or WAV, all channels.
///
/// # Errors
///
/// A [`FaultKind::Media`](crate::FaultKind::Media) fault if the bytes are none of these, are
/// damaged or cut off, or hold more than `options` allow.
///
/// # Examples
///
/// ```
/// use puyu_dataset::media::{SoundOptions, decode_sound};
///
/// // A WAV of two samples, 8 kHz, one channel of 16 bits.
/// let mut wav = b"RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
/// wav.extend(b"\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x04\0\0\0\0\x40\0\xc0");
/// let sound = decode_sound(&wav, &SoundOptions::default())?;
/// assert_eq!((sound.rate(), sound.as_interleaved()), (8_000, &[0.5, -0.5][..]));
/// # Ok::<(), puyu_dataset::Fault>(())
/// ```
pub fn decode_sound(bytes: &[u8], options: &SoundOptions) -> Result<Sound, Fault> {
    if bytes.len() as u64 > options.max_bytes {
        let expected = format!("at most {} bytes", options.max_bytes);
        return Err(media_fault(expected, format!("{} bytes", bytes.len())));
    }
    guarded("a decodable sound", || {
        let source = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
        let reader = symphonia::default::get_probe()
            .probe(&Hint::new(), source, Default::default(), Default::default())
            .map_err(|error| media_fault("a FLAC, MP3, Ogg Vorbis or WAV sound", error))?;
        read_all(reader, options)
    })
}

fn read_all(
    mut reader: Box<dyn FormatReader + '_>,
    options: &SoundOptions,
) -> Result<Sound, Fault> {
    let broken = |error: Error| media_fault("a decodable sound", error);
    let track = reader
        .default_track(TrackType::Audio)
        .ok_or_else(|| media_fault("a track of sound", "none"))?;
    let (track_id, promised) = (track.id, track.num_frames);
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or_else(|| media_fault("a known codec", "none"))?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(broken)?;
    // An MP3 without a table of contents only guesses its length.
    let promised = promised.filter(|_| reader.format_info().short_name != "mp3");
    let mut sound = Sound { rate: 0, n_channels: 0, samples: Vec::new() };
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) if packet.track_id != track_id => {}
            Ok(Some(packet)) => append(&mut sound, &mut *decoder, &packet, options)?,
            Ok(None) => break,
            Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(broken(error)),
        }
    }
    if sound.samples.is_empty() {
        return Err(media_fault("a sound with samples", "none"));
    }
    match promised {
        Some(promised) if (sound.n_frames() as u64) < promised => {
            let found = format!("{}: the file is cut off", sound.n_frames());
            Err(media_fault(format!("{promised} samples per channel"), found))
        }
        _ => Ok(sound),
    }
}

fn append(
    sound: &mut Sound,
    decoder: &mut dyn AudioDecoder,
    packet: &symphonia::core::packet::Packet,
    options: &SoundOptions,
) -> Result<(), Fault> {
    let decoded =
        decoder.decode(packet).map_err(|error| media_fault("a decodable sound", error))?;
    if decoded.frames() == 0 {
        return Ok(());
    }
    let (rate, n_channels) = (decoded.spec().rate(), decoded.spec().channels().count());
    if rate == 0 || n_channels == 0 || n_channels > options.max_channels {
        let expected = format!("a rate and 1 to {} channels", options.max_channels);
        return Err(media_fault(expected, format!("{rate} Hz, {n_channels} channels")));
    }
    if sound.samples.is_empty() {
        (sound.rate, sound.n_channels) = (rate, n_channels);
    } else if (sound.rate, sound.n_channels) != (rate, n_channels) {
        let expected = format!("{} Hz, {} channels throughout", sound.rate, sound.n_channels);
        return Err(media_fault(expected, format!("{rate} Hz, {n_channels} channels")));
    }
    let old = sound.samples.len();
    let new = old + decoded.samples_interleaved();
    if (new / n_channels) as f64 > options.max_seconds * f64::from(rate) {
        return Err(media_fault(format!("at most {} s", options.max_seconds), "more"));
    }
    sound.samples.resize(new, 0.0);
    decoded.copy_to_slice_interleaved(&mut sound.samples[old..]);
    Ok(())
}
