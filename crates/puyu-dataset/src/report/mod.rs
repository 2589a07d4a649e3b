//! Figures for people: tables whose columns line up in Chinese too, and plots as SVG.
//!
//! Plots need no font on the machine that draws them: they name a list of families, and the viewer
//! takes the first it has.

mod plot;
mod table;

pub use plot::{Scale, Series, bars, histogram, lines};
pub use table::{Align, Table, width};

#[cfg(test)]
mod tests;
