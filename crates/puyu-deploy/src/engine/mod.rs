//! An engine that serves many requests at a time on one model: its blocks, so far.

mod blocks;
mod cache;
mod prefix;
#[cfg(test)]
mod tests;

pub use blocks::BlockId;
pub use cache::BlockCounts;
