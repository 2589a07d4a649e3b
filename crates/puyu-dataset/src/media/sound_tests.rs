use puyu_testkit::shared;

use super::*;

fn wav(rate: u32, n_channels: u16, samples: &[f32]) -> Vec<u8> {
    let data: Vec<u8> =
        samples.iter().flat_map(|s| ((s * 32_767.0).round() as i16).to_le_bytes()).collect();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    bytes.extend(n_channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * 2 * u32::from(n_channels)).to_le_bytes());
    bytes.extend((2 * n_channels).to_le_bytes());
    bytes.extend(b"\x10\0data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes
}

fn sine(rate: u32, hertz: f64, seconds: f64, level: f64) -> Vec<f32> {
    let step = std::f64::consts::TAU * hertz / f64::from(rate);
    let n_frames = (seconds * f64::from(rate)) as usize;
    (0..n_frames).map(|i| (level * (step * i as f64).sin()) as f32).collect()
}

/// The level of one frequency, by correlation, away from both ends.
fn level_at(sound: &Sound, hertz: f64) -> f64 {
    let step = std::f64::consts::TAU * hertz / f64::from(sound.rate());
    let edge = sound.n_frames() / 10;
    let (mut real, mut imaginary, mut n) = (0.0, 0.0, 0.0);
    for (i, sample) in sound.channel(0).enumerate().skip(edge).take(8 * edge) {
        let (sin, cos) = (step * i as f64).sin_cos();
        real += f64::from(sample) * cos;
        imaginary += f64::from(sample) * sin;
        n += 1.0;
    }
    2.0 * f64::hypot(real, imaginary) / n
}

fn power(sound: &Sound) -> f64 {
    let sum: f64 = sound.as_interleaved().iter().map(|&s| f64::from(s).powi(2)).sum();
    sum / sound.as_interleaved().len() as f64
}

#[test]
fn a_sine_keeps_its_frequency_and_level_at_another_rate() {
    let bytes = wav(48_000, 1, &sine(48_000, 1_000.0, 1.0, 0.5));
    let sound = decode_sound(&bytes, &SoundOptions::default()).unwrap();
    assert_eq!((sound.rate(), sound.n_channels(), sound.n_frames()), (48_000, 1, 48_000));
    for rate in [16_000, 44_100, 96_000] {
        let resampled = sound.resample(rate).unwrap();
        assert_eq!(resampled.n_frames(), rate as usize);
        let level = level_at(&resampled, 1_000.0);
        assert!((level - 0.5).abs() < 0.002, "{rate}: {level}");
        assert!((power(&resampled) - 0.125).abs() < 0.002, "{rate}: {}", power(&resampled));
    }
}

#[test]
fn what_the_new_rate_cannot_hold_is_removed() {
    let bytes = wav(48_000, 1, &sine(48_000, 11_000.0, 0.5, 0.5));
    let sound = decode_sound(&bytes, &SoundOptions::default()).unwrap().resample(16_000).unwrap();
    // 11 kHz would come back as 5 kHz.
    assert!(level_at(&sound, 5_000.0) < 1e-4, "{}", level_at(&sound, 5_000.0));
}

#[test]
fn channels_stay_apart_and_mono_is_their_mean() {
    let bytes = wav(8_000, 2, &[0.5, -0.5, 0.25, 0.75]);
    let sound = decode_sound(&bytes, &SoundOptions::default()).unwrap();
    assert_eq!(sound.n_frames(), 2);
    let right: Vec<f32> = sound.channel(1).collect();
    assert!((right[0] + 0.5).abs() < 1e-4 && (right[1] - 0.75).abs() < 1e-4);
    assert_eq!(sound.channel(2).count(), 0);
    let mono = sound.mono();
    assert!((mono.as_interleaved()[0]).abs() < 1e-4);
    assert!((mono.as_interleaved()[1] - 0.5).abs() < 1e-4);
}

#[test]
fn the_flac_of_the_corpus_is_whole_and_keeps_its_energy() {
    let Some(path) = shared("corpus/audio/test_audio.flac") else { return };
    let bytes = std::fs::read(path).unwrap();
    let sound = decode_sound(&bytes, &SoundOptions::default()).unwrap();
    // STREAMINFO: 20 bits of rate, 3 of channels, 5 of depth, 36 of length.
    let head = u64::from_be_bytes(bytes[18..26].try_into().unwrap());
    assert_eq!(u64::from(sound.rate()), head >> 44);
    assert_eq!(sound.n_channels() as u64, ((head >> 41) & 7) + 1);
    assert_eq!(sound.n_frames() as u64, head & ((1 << 36) - 1));
    let twice = sound.resample(sound.rate() * 2).unwrap();
    let ratio = power(&twice) / power(&sound);
    assert!((ratio - 1.0).abs() < 0.02, "{ratio}");
    for part in [10, 50, 90] {
        let cut = &bytes[..bytes.len() * part / 100];
        assert!(decode_sound(cut, &SoundOptions::default()).is_err(), "{part} %");
    }
    for at in (0..bytes.len().min(4_000)).step_by(61) {
        let mut damaged = bytes[..bytes.len().min(40_000)].to_vec();
        damaged[at] ^= 0x5A;
        let _ = decode_sound(&damaged, &SoundOptions::default());
    }
}

#[test]
fn limits_and_foreign_bytes_are_faults() {
    let bytes = wav(8_000, 2, &[0.0; 32_000]);
    let default = SoundOptions::default();
    for options in [
        SoundOptions { max_seconds: 1.0, ..default },
        SoundOptions { max_channels: 1, ..default },
        SoundOptions { max_bytes: 9, ..default },
    ] {
        assert!(decode_sound(&bytes, &options).is_err(), "{options:?}");
    }
    assert!(decode_sound(&bytes, &default).unwrap().resample(10).is_err());
    for foreign in [&b""[..], "声音".as_bytes(), b"RIFF\0\0\0\0WAVE", &bytes[..30]] {
        assert!(decode_sound(foreign, &default).is_err());
    }
}
