//! CPU kernels of Puyu: slices in, slices out, chosen at run time.
//!
//! This crate knows no tensor type and no model. It is the only crate of Puyu with `unsafe`, and
//! all of that sits behind safe functions that check the lengths they are given. Nobody who
//! depends on it sets `target-cpu`: the best version that the processor has is found once, at run
//! time ([`Isa::detect`]).
//!
//! | Operation | portable | AVX2 + FMA + F16C | AVX-512F | truth |
//! |---|---|---|---|---|
//! | [`rms_norm`] | scalar | 8 values in `f64` | 16 values in `f64` | `f64`, 1 unit in the last place |
//! | [`rope`] | scalar | 8 pairs | 16 pairs | the same bits everywhere |
//! | [`swiglu`] | scalar | 8 values | 16 values | `f64`, 4 units in the last place |
//! | [`linear`] | 8-lane arrays | 4 × 3 tiles of 8 lanes | 4 × 3 tiles of 16 lanes | `f64`, see there |
//! | [`quant_linear`], [`gate_up_swiglu`] | loops over panels of 16 outputs | 6 × 16 tiles of bytes | as AVX2 | the same bits everywhere, but for SiLU |
//! | [`quantize`], [`QuantizedRows::quantize`] | 8-lane arrays | the same, compiled for AVX2 | as AVX2 | the same bits everywhere |
//! | [`paged_attention`] | 16-lane arrays | 6 × 16 tiles of 8 lanes | as AVX2 | `f64`, see there |
//! | [`bf16_to_f32`], [`f16_to_f32`], [`f32_to_bf16`] | scalar | 8 values | 16 values | the same bits everywhere |
//!
//! # Invariance
//!
//! On one machine, a row of a result depends on that row of the input alone: not on how many rows
//! share the call, not on where the row stands among them, not on the number of threads. So a
//! token decoded alone, in a batch or within a prefill has the same bits. Between machines with
//! different instruction sets, [`rope`], the quantised layers, [`quantize`] and the conversions keep
//! their bits and the other operations stay within their stated error.
//!
//! # Threads
//!
//! Operations that are large enough are split over threads; small ones run on the caller's thread.
//! Within [`Pool::install`] the threads are those of that [`Pool`], which is made for the many short
//! operations of a model and has the size that its owner gave it. Without one they are those of the
//! current rayon pool, which suits programs that use rayon themselves. What an operation computes
//! does not depend on the choice.
//!
//! # How to add an operation
//!
//! 1. A folder with `mod.rs` (the public function, which checks lengths and dispatches on
//!    [`Isa`]), `scalar.rs` (the definition, naive, never optimised) and `tests.rs`.
//! 2. Fast versions in `avx2.rs` and `avx512.rs`: `#[target_feature]` functions over arrays from
//!    `as_chunks`, so that the only `unsafe` is the call that follows detection.
//! 3. Tests that run every version in [`Isa::available`] over sizes around the block and extreme
//!    values, against the definition: exact where it can be, else with a stated error.
//! 4. Threads through the functions of the module `pool` alone, from a measured size on. Tasks may
//!    not depend on the number of threads in what they compute.
//! 5. A line in the table above and a bench in `benches/kernels.rs`.

mod convert;
mod cpu;
#[cfg(target_arch = "x86_64")]
mod exponential;
mod linear;
mod paged;
mod pool;
mod quant;
mod rms_norm;
pub mod roof;
mod rope;
mod shared;
mod swiglu;

pub use convert::{bf16_to_f32, f16_to_f32, f32_to_bf16};
pub use cpu::Isa;
pub use linear::{Weight, linear};
pub use paged::{KvError, KvLayer, KvLayout, KvPool, KvType, Segment, paged_attention};
pub use pool::{Pool, PoolError};
pub use quant::{
    Group, Int4Values, QUANT_LAYOUT, QuantFormat, QuantShape, QuantWeight, QuantizedRows,
    dequantize, gate_up_swiglu, gate_up_swiglu_quantized, pack_int4, pack_q4_0, pack_q8_0,
    quant_linear, quant_linear_rows, quantize, rms_norm_quantized,
};
pub use rms_norm::rms_norm;
pub use rope::{RopeShape, rope};
pub use swiglu::swiglu;

#[cfg(test)]
mod testing;
