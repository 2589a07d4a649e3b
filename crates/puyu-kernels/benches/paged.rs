//! Speed of attention over the cache, and the roofs to compare it with.
//!
//! `cargo bench -p puyu-kernels --bench paged` prints bytes of keys and values in a second for
//! decoding (to be read against `roofs::read` of the same run), and multiply-adds in a second for
//! prefill (against `roofs::multiply_add_f32`).

mod roofs;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, Divan};
use puyu_kernels::{KvLayout, KvPool, KvType, Segment, paged_attention};
use roofs::pool;

fn main() {
    Divan::from_args().main();
}

/// Heads of keys and values, as in InternLM2 of 1.8B and 7B.
const N_KV_HEADS: usize = 8;

const HEAD_DIM: usize = 128;

/// Tokens of a block.
const BLOCK_TOKENS: usize = 64;

/// Bytes of the cache that take turns, so that none comes from a processor cache.
const CACHE_BYTES: usize = 160 << 20;

const TYPES: [KvType; 5] = [KvType::F32, KvType::F16, KvType::Bf16, KvType::Int8, KvType::Int4];

/// Values that are neither zero nor denormal.
fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7 % 251) as f32 - 125.5) / 64.0).collect()
}

/// Sequences of one length, in blocks that lie anywhere.
struct Sequences {
    cache: KvPool,
    tables: Vec<Vec<u32>>,
}

impl Sequences {
    fn new(kv_type: KvType, context: usize, n_sequences: usize) -> Self {
        let layout = KvLayout {
            n_layers: 1,
            n_kv_heads: N_KV_HEADS,
            head_dim: HEAD_DIM,
            block_tokens: BLOCK_TOKENS,
            kv_type,
        };
        let n_blocks = context.div_ceil(BLOCK_TOKENS);
        let n_all = n_blocks * n_sequences;
        let mut cache = KvPool::new(layout, n_all).expect("the memory is there");
        // The step is prime and larger than the number of blocks, so every block comes up once.
        let blocks: Vec<u32> = (0..n_all).map(|i| (i * 10_007 % n_all) as u32).collect();
        let tables: Vec<Vec<u32>> = blocks.chunks(n_blocks).map(<[u32]>::to_vec).collect();
        let rows = values(context * N_KV_HEADS * HEAD_DIM);
        for table in &tables {
            let segment = Segment { n_queries: context, context, block_table: table };
            cache.append(0, &[segment], &rows, &rows);
        }
        Self { cache, tables }
    }

    /// Enough of them that none comes from a processor cache.
    fn beyond_caches(kv_type: KvType, context: usize) -> Self {
        let bytes = 2 * context * N_KV_HEADS * HEAD_DIM * kv_type.bits() / 8;
        Self::new(kv_type, context, CACHE_BYTES.div_ceil(bytes))
    }

    /// Bytes of the keys and values of one sequence.
    fn bytes(&self) -> usize {
        let block_bytes = self.cache.layout().block_bytes().expect("the cache has this layout");
        self.tables[0].len() * block_bytes
    }
}

/// One query: bytes of keys and values in a second, by depth and threads.
mod decode {
    use super::*;

    const CASES: [(usize, usize); 4] = [(2048, 1), (2048, 2), (4096, 1), (4096, 2)];

    /// InternLM2-1.8B: two heads share keys.
    #[divan::bench(args = CASES, consts = [0, 1, 2, 3, 4])]
    fn heads_16<const TYPE: usize>(bencher: Bencher<'_, '_>, case: (usize, usize)) {
        bench(bencher, 16, TYPES[TYPE], case);
    }

    /// InternLM2-7B: four heads share keys.
    #[divan::bench(args = CASES, consts = [0, 1, 2, 3, 4])]
    fn heads_32<const TYPE: usize>(bencher: Bencher<'_, '_>, case: (usize, usize)) {
        bench(bencher, 32, TYPES[TYPE], case);
    }

    fn bench(
        bencher: Bencher<'_, '_>,
        n_heads: usize,
        kv_type: KvType,
        (context, n_threads): (usize, usize),
    ) {
        let sequences = Sequences::beyond_caches(kv_type, context);
        let (queries, pool) = (values(n_heads * HEAD_DIM), pool(n_threads));
        let mut out = vec![0.0; queries.len()];
        let mut tables = sequences.tables.iter().cycle();
        bencher.counter(BytesCount::new(sequences.bytes())).bench_local(|| {
            let block_table = tables.next().expect("a cycle does not end");
            let segments = [Segment { n_queries: 1, context, block_table }];
            let cache = sequences.cache.layer(0);
            pool.install(|| paged_attention(cache, &queries, &segments, 0.088, &mut out));
        });
    }
}

/// 512 queries: multiply-adds in a second that causality leaves, by depth and threads.
mod prefill {
    use super::*;

    const N_QUERIES: usize = 512;
    const CASES: [(usize, usize); 4] = [(0, 1), (0, 2), (2048, 1), (2048, 2)];

    #[divan::bench(args = CASES, consts = [0, 1, 3])]
    fn heads_16<const TYPE: usize>(bencher: Bencher<'_, '_>, (depth, n_threads): (usize, usize)) {
        const N_HEADS: usize = 16;
        let context = depth + N_QUERIES;
        let sequences = Sequences::new(TYPES[TYPE], context, 1);
        let (queries, pool) = (values(N_QUERIES * N_HEADS * HEAD_DIM), pool(n_threads));
        let mut out = vec![0.0; queries.len()];
        let n_pairs = N_QUERIES * depth + N_QUERIES * (N_QUERIES + 1) / 2;
        let n_products = 2 * n_pairs * N_HEADS * HEAD_DIM;
        bencher.counter(ItemsCount::new(n_products)).bench_local(|| {
            let block_table = &sequences.tables[0];
            let segments = [Segment { n_queries: N_QUERIES, context, block_table }];
            let cache = sequences.cache.layer(0);
            pool.install(|| paged_attention(cache, &queries, &segments, 0.088, &mut out));
        });
    }
}

/// Storing 512 tokens: bytes of keys and values in `f32` in a second.
#[divan::bench(consts = [0, 1, 2, 3, 4])]
fn append<const TYPE: usize>(bencher: Bencher<'_, '_>) {
    let mut sequences = Sequences::new(TYPES[TYPE], 512, 1);
    let rows = values(512 * N_KV_HEADS * HEAD_DIM);
    bencher.counter(BytesCount::new(2 * size_of_val(&rows[..]))).bench_local(|| {
        let segment = Segment { n_queries: 512, context: 512, block_table: &sequences.tables[0] };
        sequences.cache.append(0, &[segment], &rows, &rows);
    });
}
