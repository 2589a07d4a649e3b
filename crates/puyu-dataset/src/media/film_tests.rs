use puyu_testkit::shared;

use super::*;
use crate::DatasetError;

fn both() -> Option<[Film; 2]> {
    let folder = shared("corpus/video")?;
    Some(["sync_test.mp4", "sync_test.mkv"].map(|name| Film::open(folder.join(name)).unwrap()))
}

#[test]
fn both_containers_of_a_film_give_equal_frames() {
    let Some([mp4, mkv]) = both() else { return };
    assert_eq!(mp4.info().n_frames, mkv.info().n_frames);
    assert!((mp4.info().duration_s - mkv.info().duration_s).abs() < 0.05);
    let rate = mp4.info().n_frames as f64 / mp4.info().duration_s;
    assert!((5.0..=120.0).contains(&rate), "{:?}", mp4.info());
    // The middle of a frame, by the times of each file: those of the mkv are rounded to
    // milliseconds, and all but the first lie 21 ms later, maybe the delay of the sound's encoder.
    let middles = |film: &Film| -> Vec<f64> {
        let step = film.times_s().len().div_ceil(9);
        film.times_s().windows(2).step_by(step).map(|w| (w[0] + w[1]) / 2.0).collect()
    };
    let asked = middles(&mp4);
    let left = mp4.frames_at(&asked).unwrap();
    let right = mkv.frames_at(&middles(&mkv)).unwrap();
    assert_eq!(left.len(), asked.len());
    for (left, right) in left.iter().zip(&right) {
        assert!((left.time_s - right.time_s).abs() < 0.022, "{left:?} {right:?}");
        assert_eq!(left.picture, right.picture, "{left:?}");
        assert_eq!(left.picture.width(), mp4.info().width);
    }
    assert!(left.windows(2).all(|pair| pair[0].time_s < pair[1].time_s));
    assert!(left.windows(2).any(|pair| pair[0].picture != pair[1].picture));
}

#[test]
fn times_rise_and_frames_come_in_the_order_asked_for() {
    let Some([film, _]) = both() else { return };
    assert!(film.times_s().windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(film.times_s()[0], 0.0);
    let last = film.times_s().last().copied().unwrap();
    let frames = film.frames_at(&[1e9, -1.0, last, 0.0]).unwrap();
    assert_eq!(frames.iter().map(|f| f.time_s).collect::<Vec<_>>(), [last, 0.0, last, 0.0]);
    assert_eq!(frames[0], frames[2]);
    assert!(film.frames_at(&[f64::NAN]).is_err());
    assert!(film.frames_at(&[]).unwrap().is_empty());
}

#[test]
fn a_film_that_is_not_read_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("老.avi");
    std::fs::write(&path, b"RIFF\0\0\0\0AVI LIST").unwrap();
    let error = Film::open(&path).unwrap_err();
    assert!(matches!(error, DatasetError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("libx264"), "{error}");
}

#[test]
fn a_codec_that_is_not_read_is_named() {
    let Some(folder) = shared("corpus/video") else { return };
    let mut bytes = std::fs::read(folder.join("sync_test.mkv")).unwrap();
    let at = memchr::memmem::find(&bytes, b"V_MPEG4/ISO/AVC").unwrap();
    bytes[at..at + 15].copy_from_slice(b"V_MPEGH/ISO/HEV");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let error = Film::open(file.path()).unwrap_err();
    assert!(error.to_string().contains("V_MPEGH/ISO/HEV"), "{error}");
}

#[test]
fn a_table_of_absurd_length_is_refused_and_not_followed() {
    let Some(folder) = shared("corpus/video") else { return };
    let mut bytes = std::fs::read(folder.join("sync_test.mp4")).unwrap();
    let at = memchr::memmem::find(&bytes, b"stsz").unwrap();
    // All samples are one byte long, and there are four milliards.
    bytes[at + 8..at + 16].copy_from_slice(&[0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let error = Film::open(file.path()).unwrap_err();
    let DatasetError::Container { source, .. } = &error else { panic!("{error:?}") };
    assert!(source.to_string().contains("samples"), "{source}");
}

#[test]
fn damaged_films_are_errors_or_films_and_never_a_panic() {
    let Some(folder) = shared("corpus/video") else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    for name in ["sync_test.mp4", "sync_test.mkv"] {
        let whole = std::fs::read(folder.join(name)).unwrap();
        for part in [1, 10, 50, 90] {
            std::fs::write(file.path(), &whole[..whole.len() * part / 100]).unwrap();
            if let Ok(film) = Film::open(file.path()) {
                let _ = film.frames_at(&[0.0]);
            }
        }
    }
}
