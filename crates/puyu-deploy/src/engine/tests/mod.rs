//! The parts of the engine.

mod blocks;
