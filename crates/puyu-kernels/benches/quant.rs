//! Speed of the quantised linear layers, and the roofs to compare them with.
//!
//! `cargo bench -p puyu-kernels --bench quant` prints bytes of weights in a second for one row and
//! multiply-adds in a second for several. Quote shares of the roofs of the same run.

mod roofs;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, Divan};
use puyu_kernels::{
    Group, QuantFormat, QuantShape, QuantWeight, QuantizedRows, Weight, gate_up_swiglu,
    quant_linear_rows, quantize, rms_norm_quantized,
};
use roofs::pool;

const INT4: QuantFormat = QuantFormat::Int4 { group: Group::Of32 };
const INT4_128: QuantFormat = QuantFormat::Int4 { group: Group::Of128 };
const ASYMMETRIC: QuantFormat = QuantFormat::Int4Asymmetric { group: Group::Of128 };
const INT8: QuantFormat = QuantFormat::Int8 { group: Group::Of32 };
const INT8_128: QuantFormat = QuantFormat::Int8 { group: Group::Of128 };

/// Bytes of weights that take turns, so that none comes from a cache.
const COLD_BYTES: usize = 256 << 20;

fn main() {
    Divan::from_args().main();
}

/// Values that are neither zero nor denormal.
fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i % 251) as f32 - 125.5) / 64.0).collect()
}

/// Copies of a weight that take turns.
struct Weights {
    bytes: Vec<u8>,
    start: usize,
    shape: QuantShape,
    next: usize,
}

impl Weights {
    fn new(m: usize, k: usize, format: QuantFormat) -> Self {
        let shape = QuantShape { m, k, format };
        let len = shape.n_bytes().expect("the weights of a bench fit in memory");
        let mut weight = vec![0; len];
        quantize(Weight::F32(&values(m * k)), shape, &mut weight);
        let mut bytes = vec![0; len * COLD_BYTES.div_ceil(len) + 64];
        let start = bytes.as_ptr().align_offset(64);
        bytes[start..].chunks_exact_mut(len).for_each(|copy| copy.copy_from_slice(&weight));
        Self { bytes, start, shape, next: 0 }
    }

    fn len(&self) -> usize {
        self.shape.n_bytes().expect("counted before")
    }

    fn next(&mut self) -> QuantWeight<'_> {
        let copies = self.bytes[self.start..].chunks_exact(self.len());
        self.next = (self.next + 1) % copies.len();
        let bytes = copies.clone().nth(self.next).expect("a copy of a number below their count");
        QuantWeight::new(bytes, self.shape)
    }
}

fn rows(n: usize, k: usize) -> QuantizedRows {
    let mut rows = QuantizedRows::new();
    rows.quantize(&values(n * k), k);
    rows
}

/// One row: bytes of weights in a second.
mod decode {
    use super::*;

    #[divan::bench(args = [1, 2], consts = [2048, 92544])]
    fn int8<const M: usize>(bencher: Bencher<'_, '_>, n_threads: usize) {
        bench(bencher, n_threads, M, INT8);
    }

    #[divan::bench(args = [1, 2], consts = [2048])]
    fn int8_128<const M: usize>(bencher: Bencher<'_, '_>, n_threads: usize) {
        bench(bencher, n_threads, M, INT8_128);
    }

    #[divan::bench(args = [1, 2], consts = [2048, 92544])]
    fn int4<const M: usize>(bencher: Bencher<'_, '_>, n_threads: usize) {
        bench(bencher, n_threads, M, INT4);
    }

    #[divan::bench(args = [1, 2], consts = [2048])]
    fn int4_128<const M: usize>(bencher: Bencher<'_, '_>, n_threads: usize) {
        bench(bencher, n_threads, M, INT4_128);
    }

    #[divan::bench(args = [1, 2], consts = [2048])]
    fn int4_asymmetric_128<const M: usize>(bencher: Bencher<'_, '_>, n_threads: usize) {
        bench(bencher, n_threads, M, ASYMMETRIC);
    }

    /// The shapes of InternLM2-1.8B: the way down of the feed-forward layer, and the head.
    fn bench(bencher: Bencher<'_, '_>, n_threads: usize, m: usize, format: QuantFormat) {
        let k = if m == 2048 { 8192 } else { 2048 };
        let (x, mut out, pool) = (rows(1, k), vec![0.0; m], pool(n_threads));
        let mut weights = Weights::new(m, k, format);
        bencher.counter(BytesCount::new(weights.len())).bench_local(|| {
            let weight = weights.next();
            pool.install(|| quant_linear_rows(&x, weight, None, &mut out));
        });
    }
}

/// Several rows: multiply-adds in a second.
mod batch {
    use super::*;

    /// Rows and threads.
    const CASES: [(usize, usize); 10] =
        [(1, 1), (2, 1), (3, 1), (4, 1), (8, 1), (16, 1), (16, 2), (64, 1), (512, 1), (512, 2)];

    #[divan::bench(args = CASES)]
    fn int4_8192x2048(bencher: Bencher<'_, '_>, case: (usize, usize)) {
        bench(bencher, case, (8192, 2048), INT4);
    }

    #[divan::bench(args = CASES)]
    fn int8_8192x2048(bencher: Bencher<'_, '_>, case: (usize, usize)) {
        bench(bencher, case, (8192, 2048), INT8);
    }

    #[divan::bench(args = [(512, 1)])]
    fn int4_2048x2048(bencher: Bencher<'_, '_>, case: (usize, usize)) {
        bench(bencher, case, (2048, 2048), INT4);
    }

    #[divan::bench(args = [(512, 1)])]
    fn int8_2048x2048(bencher: Bencher<'_, '_>, case: (usize, usize)) {
        bench(bencher, case, (2048, 2048), INT8);
    }

    #[divan::bench(args = [(512, 1)])]
    fn int4_2048x8192(bencher: Bencher<'_, '_>, case: (usize, usize)) {
        bench(bencher, case, (2048, 8192), INT4);
    }

    #[divan::bench(args = [(512, 1)])]
    fn int4_128_8192x2048(bencher: Bencher<'_, '_>, case: (usize, usize)) {
        bench(bencher, case, (8192, 2048), INT4_128);
    }

    #[divan::bench(args = [(512, 1)])]
    fn int4_asymmetric_128_8192x2048(bencher: Bencher<'_, '_>, case: (usize, usize)) {
        bench(bencher, case, (8192, 2048), ASYMMETRIC);
    }

    #[divan::bench(args = [(512, 1)])]
    fn int8_128_8192x2048(bencher: Bencher<'_, '_>, case: (usize, usize)) {
        bench(bencher, case, (8192, 2048), INT8_128);
    }

    fn bench(
        bencher: Bencher<'_, '_>,
        (n, n_threads): (usize, usize),
        (m, k): (usize, usize),
        format: QuantFormat,
    ) {
        let (x, mut out, pool) = (rows(n, k), vec![0.0; n * m], pool(n_threads));
        let mut weights = Weights::new(m, k, format);
        bencher.counter(ItemsCount::new(n * m * k)).bench_local(|| {
            let weight = weights.next();
            pool.install(|| quant_linear_rows(&x, weight, None, &mut out));
        });
    }

    /// The first half of a feed-forward layer, by rows and threads.
    #[divan::bench(args = [(1, 1), (1, 2), (512, 1), (512, 2)])]
    fn gate_up_swiglu_int4_8192x2048(bencher: Bencher<'_, '_>, (n, n_threads): (usize, usize)) {
        let (m, k) = (8192, 2048);
        let (x, mut out, pool) = (rows(n, k), vec![0.0; n * m], pool(n_threads));
        let (mut gates, mut ups) = (Weights::new(m, k, INT4), Weights::new(m, k, INT4));
        bencher.counter(ItemsCount::new(2 * n * m * k)).bench_local(|| {
            let (gate, up) = (gates.next(), ups.next());
            pool.install(|| gate_up_swiglu(&x, gate, up, &mut out));
        });
    }
}

/// Where a second thread begins to pay: products of one row, by outputs and threads.
#[divan::bench(args = [(256, 1), (256, 2), (512, 1), (512, 2), (1024, 1), (1024, 2)])]
fn small_int4(bencher: Bencher<'_, '_>, (m, n_threads): (usize, usize)) {
    let (x, mut out, pool) = (rows(1, 2048), vec![0.0; m], pool(n_threads));
    let mut weights = Weights::new(m, 2048, INT4);
    bencher.counter(ItemsCount::new(2048 * m)).bench_local(|| {
        let weight = weights.next();
        pool.install(|| quant_linear_rows(&x, weight, None, &mut out));
    });
}

/// Activations in a second, by rows.
#[divan::bench(args = [1, 64])]
fn quantize_rows_of_2048(bencher: Bencher<'_, '_>, n: usize) {
    let (x, mut rows) = (values(n * 2048), QuantizedRows::new());
    bencher.counter(ItemsCount::new(x.len())).bench_local(|| rows.quantize(&x, 2048));
}

/// Activations in a second, by rows.
#[divan::bench(args = [1, 64])]
fn rms_norm_quantized_of_2048(bencher: Bencher<'_, '_>, n: usize) {
    let (x, weight, mut rows) = (values(n * 2048), values(2048), QuantizedRows::new());
    bencher
        .counter(ItemsCount::new(x.len()))
        .bench_local(|| rms_norm_quantized(&x, &weight, 1e-5, &mut rows));
}

/// Weights in a second, rounded to a format.
#[divan::bench(args = [INT4, ASYMMETRIC, INT8])]
fn quantize_weights(bencher: Bencher<'_, '_>, format: &QuantFormat) {
    let shape = QuantShape { m: 512, k: 2048, format: *format };
    let mut bytes = vec![0; shape.n_bytes().expect("the weights of a bench fit in memory")];
    let (weight, pool) = (values(512 * 2048), pool(1));
    bencher.counter(ItemsCount::new(weight.len())).bench_local(|| {
        pool.install(|| quantize(Weight::F32(&weight), shape, &mut bytes));
    });
}
