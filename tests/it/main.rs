//! Puyu seen from outside: the facade as a program uses it, the examples as a user runs them, and
//! the small model that is part of the repository.
//!
//! Reading order: [`tiny`] (models made on the spot), [`process`] (examples as processes), then the
//! tests.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails as tests do, by a panic")]

mod process;
mod tiny;

mod chat;
mod examples;
mod facade;
mod mini;
mod readme;
mod refusals;
