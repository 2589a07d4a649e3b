//! Pictures, films and sounds, from their bytes to plain numbers.
//!
//! - [`picture`]: what a picture's header says, its pixels in RGB, and the form vision towers take
//! - `film` (feature `video`): H.264 in mp4 and mkv, pictures by time
//! - `sound` (feature `audio`): FLAC, MP3, Ogg Vorbis and WAV, at any rate
//!
//! Nothing here trusts its input: sizes are checked against the limits of the caller's options
//! before memory is asked for, and what a decoder cannot read is a [`Fault`] of kind
//! [`FaultKind::Media`], so that a picture that is broken is treated by
//! the same policy as a row that is.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::fault::{Fault, FaultKind, excerpt};

#[cfg(feature = "video")]
pub mod film;
#[cfg(feature = "video")]
mod film_container;
#[cfg(feature = "video")]
mod film_guard;
pub mod picture;
mod resize;
#[cfg(feature = "audio")]
pub mod sound;

#[cfg(all(test, feature = "video"))]
mod film_tests;
#[cfg(test)]
mod picture_tests;
#[cfg(all(test, feature = "audio"))]
mod sound_tests;

#[cfg(feature = "video")]
pub use film::{Film, FilmInfo, Frame};
pub use picture::{Picture, PictureFormat, PictureInfo, PictureOptions, decode, probe};
pub use resize::{Filter, Normalisation};
#[cfg(feature = "audio")]
pub use sound::{Sound, SoundOptions, decode_sound};

/// A fault of this kind, with the decoder's message shortened.
fn media_fault(expected: impl Into<String>, found: impl std::fmt::Display) -> Fault {
    Fault::row(FaultKind::Media, expected, excerpt(&found.to_string()))
}

/// Runs somebody else's decoder, turning a panic into a fault.
///
/// Decoders of files from the web index by numbers that those files state; one that forgets a
/// check would otherwise end a job of days because of one file. What is caught is dropped whole:
/// no decoder is used again after it panicked.
fn guarded<T>(what: &str, decode: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(media_fault(what, "data on which the decoder gave up")))
}
