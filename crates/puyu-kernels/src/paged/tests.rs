use puyu_testkit::{random_normal, random_tokens};

use super::attention::{Call, attention_on};
use super::*;
use crate::testing::{bits, versions};
use crate::{Isa, Pool};

const TYPES: [KvType; 5] = [KvType::F32, KvType::F16, KvType::Bf16, KvType::Int8, KvType::Int4];

/// Around groups of 16, spans and blocks of 64.
const CONTEXTS: [usize; 10] = [1, 15, 16, 17, 63, 64, 65, 127, 128, 129];

fn layout(head_dim: usize, kv_type: KvType) -> KvLayout {
    KvLayout { n_layers: 1, n_kv_heads: 2, head_dim, block_tokens: 64, kv_type }
}

/// A cache, and which blocks each of some sequences has in it.
struct Fixture {
    pool: KvPool,
    tables: Vec<Vec<u32>>,
}

impl Fixture {
    /// Room for sequences of these lengths, in blocks that lie anywhere. Whatever no token is
    /// written to is NaN.
    fn new(layout: KvLayout, lengths: &[usize]) -> Self {
        let n_blocks = lengths.iter().map(|len| len.div_ceil(layout.block_tokens)).sum::<usize>();
        let mut blocks: Vec<u32> = (0..n_blocks as u32).collect();
        let order = random_tokens(n_blocks, 1 << 20, 5);
        blocks.sort_by_key(|&block| order[block as usize]);

        let mut pool = KvPool::new(layout, n_blocks).unwrap();
        let context = n_blocks * layout.block_tokens;
        let nan = vec![f32::NAN; context * layout.n_kv_heads * layout.head_dim];
        let all = Segment { n_queries: context, context, block_table: &blocks };
        pool.append(0, &[all], &nan, &nan);

        let mut rest = blocks.into_iter();
        let take = |len: &usize| rest.by_ref().take(len.div_ceil(layout.block_tokens)).collect();
        Self { pool, tables: lengths.iter().map(take).collect() }
    }

    /// The same, filled with tokens.
    fn filled(layout: KvLayout, lengths: &[usize], size: f32) -> Self {
        let mut fixture = Self::new(layout, lengths);
        let n_values = lengths.iter().sum::<usize>() * layout.n_kv_heads * layout.head_dim;
        let keys: Vec<f32> = random_normal(n_values, 1).iter().map(|x| x * size).collect();
        let lens: Vec<_> = lengths.iter().map(|&len| (len, len)).collect();
        fixture.append(&lens, &keys, &random_normal(n_values, 2));
        fixture
    }

    /// Segments of new tokens and context.
    fn segments<'a>(tables: &'a [Vec<u32>], lens: &[(usize, usize)]) -> Vec<Segment<'a>> {
        let segment = |(table, &(n_queries, context)): (&'a Vec<u32>, _)| Segment {
            n_queries,
            context,
            block_table: table,
        };
        tables.iter().zip(lens).map(segment).collect()
    }

    fn append(&mut self, lens: &[(usize, usize)], keys: &[f32], values: &[f32]) {
        let segments = Self::segments(&self.tables, lens);
        self.pool.append(0, &segments, keys, values);
    }

    fn attend(&self, isa: Isa, lens: &[(usize, usize)], group: usize, queries: &[f32]) -> Vec<f32> {
        let mut out = vec![f32::NAN; queries.len()];
        self.with_call(lens, group, queries, |call| attention_on(isa, call, &mut out));
        out
    }

    fn define(&self, lens: &[(usize, usize)], group: usize, queries: &[f32]) -> Vec<f32> {
        let mut out = vec![f32::NAN; queries.len()];
        self.with_call(lens, group, queries, |call| scalar::paged_attention(call, &mut out));
        out
    }

    fn with_call(
        &self,
        lens: &[(usize, usize)],
        group_heads: usize,
        queries: &[f32],
        run: impl FnOnce(&Call<'_>),
    ) {
        let (cache, layout) = (self.pool.layer(0), self.pool.layout());
        let scale = 1.0 / (layout.head_dim as f32).sqrt();
        let segments = &Self::segments(&self.tables, lens);
        run(&Call { cache, layout, queries, segments, scale, group_heads });
    }
}

fn n_queries(lens: &[(usize, usize)]) -> usize {
    lens.iter().map(|(n_queries, _)| n_queries).sum()
}

/// The error that the documentation promises, for scores below 10 and values of this magnitude.
fn budget(layout: KvLayout, context: usize, largest: f64) -> f64 {
    (layout.head_dim + context) as f64 * 2_f64.powi(-22) * largest
}

/// Every version against the definition. The values are below 6 in magnitude.
#[track_caller]
fn check(layout: KvLayout, lens: &[(usize, usize)], group: usize) {
    let lengths: Vec<usize> = lens.iter().map(|&(_, context)| context).collect();
    let fixture = Fixture::filled(layout, &lengths, 1.0);
    let row_len = layout.n_kv_heads * group * layout.head_dim;
    let queries = random_normal(n_queries(lens) * row_len, 3);
    let expected = fixture.define(lens, group, &queries);
    let budget = budget(layout, lengths.iter().copied().max().unwrap_or_default(), 6.0);
    for isa in versions() {
        let out = fixture.attend(isa, lens, group, &queries);
        for (i, (&out, &expected)) in out.iter().zip(&expected).enumerate() {
            let error = f64::from(out - expected).abs();
            assert!(error <= budget, "{isa:?}, {layout:?}, {lens:?}, {i}: {out}, not {expected}");
        }
    }
}

#[test]
fn every_version_decodes_as_defined_at_all_contexts() {
    for kv_type in TYPES {
        for context in CONTEXTS {
            check(layout(32, kv_type), &[(1, context)], 2);
        }
        check(layout(64, kv_type), &[(1, 1000)], 2);
    }
}

#[test]
fn every_version_prefills_as_defined_at_all_contexts() {
    for kv_type in TYPES {
        for context in CONTEXTS {
            check(layout(16, kv_type), &[(context, context)], 1);
        }
        check(layout(32, kv_type), &[(300, 300)], 2);
        check(layout(32, kv_type), &[(70, 450)], 1);
    }
}

#[test]
fn every_version_attends_as_defined_at_all_head_widths_and_groups() {
    for kv_type in TYPES {
        for head_dim in [16, 32, 64, 80, 96, 128] {
            for group in [1, 2, 3, 4, 5, 8] {
                check(layout(head_dim, kv_type), &[(1, 70)], group);
                check(layout(head_dim, kv_type), &[(3, 66)], group);
            }
            check(layout(head_dim, kv_type), &[(20, 90)], 3);
        }
    }
}

#[test]
fn sequences_share_a_call() {
    for kv_type in TYPES {
        let lens = [(1, 200), (40, 40), (0, 10), (1, 1), (5, 133), (1, 64)];
        for block_tokens in [16, 48, 64, 256] {
            check(KvLayout { block_tokens, ..layout(32, kv_type) }, &lens, 2);
        }
    }
}

/// Scores of several thousand: one token takes all, or several share.
#[test]
fn large_scores_pick_the_largest() {
    for kv_type in TYPES {
        let layout = layout(32, kv_type);
        let fixture = Fixture::filled(layout, &[150], 1e4);
        let queries = random_normal(150 * 2 * 2 * 32, 3);
        let expected = fixture.define(&[(150, 150)], 2, &queries);
        for isa in versions() {
            let out = fixture.attend(isa, &[(150, 150)], 2, &queries);
            for (out, expected) in out.iter().zip(&expected) {
                assert!((out - expected).abs() < 0.05, "{isa:?}, {kv_type:?}: {out} {expected}");
            }
        }
    }
}

/// A cache of one head of 16 with these keys and values, each constant over the head.
fn constant(kv_type: KvType, tokens: &[(f32, f32)]) -> Fixture {
    let layout = KvLayout { n_kv_heads: 1, ..layout(16, kv_type) };
    let mut fixture = Fixture::new(layout, &[tokens.len()]);
    let spread = |pick: fn(&(f32, f32)) -> f32| -> Vec<f32> {
        tokens.iter().flat_map(|token| [pick(token); 16]).collect()
    };
    let lens = [(tokens.len(), tokens.len())];
    fixture.append(&lens, &spread(|token| token.0), &spread(|token| token.1));
    fixture
}

/// The output of the last of these tokens for a query of ones: scores are 4 times the keys.
fn last(isa: Isa, kv_type: KvType, tokens: &[(f32, f32)]) -> f32 {
    constant(kv_type, tokens).attend(isa, &[(1, tokens.len())], 1, &[1.0; 16])[7]
}

#[test]
fn equal_scores_give_the_mean() {
    for isa in versions() {
        for kv_type in TYPES {
            for score in [0.0, -0.0, 2500.0, -2500.0] {
                let tokens: Vec<_> = (0..128).map(|i| (score, (i % 2) as f32)).collect();
                assert_eq!(last(isa, kv_type, &tokens), 0.5, "{isa:?}, {kv_type:?}, {score}");
            }
        }
    }
}

#[test]
fn one_huge_score_takes_all_wherever_it_stands() {
    for isa in versions() {
        for kv_type in TYPES {
            for place in [0, 1, 63, 64, 99] {
                let mut tokens = vec![(-2500.0, 1.0); 100];
                tokens[place] = (2500.0, -3.0);
                assert_eq!(last(isa, kv_type, &tokens), -3.0, "{isa:?}, {kv_type:?}, {place}");
            }
        }
    }
}

#[test]
fn what_is_not_finite_spoils_what_sees_it_and_nothing_before() {
    for isa in versions() {
        for kv_type in TYPES {
            for bad in [f32::NAN, f32::INFINITY] {
                for place in [0, 20, 63, 64, 80] {
                    let tokens: Vec<_> = (0..90).map(|i| (i as f32 / 90.0, 1.0)).collect();
                    let good = constant(kv_type, &tokens);
                    let queries = vec![1.0; 90 * 16];
                    let expected = good.attend(isa, &[(90, 90)], 1, &queries);
                    let mut bad_value = tokens.clone();
                    bad_value[place].1 = bad;
                    let mut bad_key = tokens;
                    bad_key[place].0 = bad;
                    for tokens in [bad_value, bad_key] {
                        let spoiled = constant(kv_type, &tokens);
                        let out = spoiled.attend(isa, &[(90, 90)], 1, &queries);
                        let (before, after) = out.split_at(place * 16);
                        assert_eq!(bits(before), bits(&expected[..place * 16]));
                        assert!(after.iter().all(|x| !x.is_finite()), "{isa:?}, {kv_type:?}");
                    }
                }
            }
        }
    }
}

/// A sequence of 210 tokens, attended to token by token.
struct Stream {
    keys: Vec<f32>,
    values: Vec<f32>,
    queries: Vec<f32>,
}

impl Stream {
    const LEN: usize = 210;
    const GROUP: usize = 3;
    const KEY: usize = 2 * 32;
    const QUERY: usize = Self::KEY * Self::GROUP;

    fn new(seed: u64) -> Self {
        let values = |len, i| random_normal(Self::LEN * len, seed * 3 + i);
        let (keys, queries) = (values(Self::KEY, 0), values(Self::QUERY, 2));
        Self { keys, values: values(Self::KEY, 1), queries }
    }

    /// The outputs, when these streams grow together by the steps of a schedule.
    fn run(isa: Isa, layout: KvLayout, streams: &[Self], schedule: &[Vec<usize>]) -> Vec<Vec<f32>> {
        let mut fixture = Fixture::new(layout, &vec![Self::LEN; streams.len()]);
        let mut outputs = vec![Vec::new(); streams.len()];
        let mut done = vec![0; streams.len()];
        for steps in schedule {
            let lens: Vec<_> = steps.iter().zip(&done).map(|(&n, &done)| (n, done + n)).collect();
            let gather = |pick: fn(&Self) -> &[f32], width: usize| -> Vec<f32> {
                let parts = streams.iter().zip(&lens);
                parts
                    .flat_map(|(stream, &(n, end))| &pick(stream)[(end - n) * width..end * width])
                    .copied()
                    .collect()
            };
            let keys = gather(|stream| &stream.keys, Self::KEY);
            fixture.append(&lens, &keys, &gather(|stream| &stream.values, Self::KEY));
            let queries = gather(|stream| &stream.queries, Self::QUERY);
            let mut out = &fixture.attend(isa, &lens, Self::GROUP, &queries)[..];
            for (i, &(n, end)) in lens.iter().enumerate() {
                let (own, others) = out.split_at(n * Self::QUERY);
                outputs[i].extend_from_slice(own);
                (out, done[i]) = (others, end);
            }
        }
        outputs
    }
}

/// Steps for each stream, until all are done.
fn random_schedule(n_streams: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut random = random_tokens(4000, 1 << 16, seed).into_iter().map(|x| x as usize);
    let mut next = move |below: usize| random.next().unwrap() % below;
    let mut left = vec![Stream::LEN; n_streams];
    let mut schedule = Vec::new();
    while left.iter().any(|&left| left > 0) {
        let most = [1, 2, 5, 40, 150][next(5)];
        let steps: Vec<usize> = left.iter().map(|&left| left.min(next(most + 1))).collect();
        left.iter_mut().zip(&steps).for_each(|(left, step)| *left -= step);
        schedule.push(steps);
    }
    schedule
}

#[test]
fn the_bits_of_a_query_depend_on_its_sequence_alone() {
    let streams = [Stream::new(1), Stream::new(2), Stream::new(3)];
    let one_by_one = vec![vec![1]; Stream::LEN];
    for isa in versions() {
        for kv_type in TYPES {
            let layout = layout(32, kv_type);
            let alone = streams.each_ref().map(|stream| {
                Stream::run(isa, layout, std::slice::from_ref(stream), &one_by_one).concat()
            });
            for seed in 0..6 {
                let block_tokens = [16, 32, 48, 64, 112, 256][seed as usize];
                let layout = KvLayout { block_tokens, ..layout };
                let schedule = random_schedule(streams.len(), seed);
                let together = Stream::run(isa, layout, &streams, &schedule);
                for (together, alone) in together.iter().zip(&alone) {
                    let is_same = bits(together) == bits(alone);
                    assert!(is_same, "{isa:?}, {kv_type:?}, {schedule:?}");
                }
            }
        }
    }
}

/// Long enough for several threads, and with one head so that the context is cut.
#[test]
fn the_number_of_threads_does_not_change_the_bits() {
    for kv_type in TYPES {
        let layout = KvLayout { n_kv_heads: 1, ..layout(64, kv_type) };
        for (lens, group) in [([(1, 5000), (1, 3)], 4), ([(1, 700), (2, 4000)], 3)] {
            let fixture = Fixture::filled(layout, &lens.map(|(_, context)| context), 1.0);
            let queries = random_normal(n_queries(&lens) * group * 64, 3);
            let run = |n_threads: usize| {
                let threads = Pool::new(n_threads.try_into().unwrap()).unwrap();
                threads.install(|| {
                    fixture.with_call(&lens, group, &queries, |call| {
                        let n_cut = plan::Plan::new(call, n_threads).merges.len();
                        assert_eq!(n_cut > 0, n_threads > 1, "{n_threads} threads cut {n_cut}");
                    });
                    fixture.attend(Isa::detect(), &lens, group, &queries)
                })
            };
            let alone = run(1);
            for n_threads in [2, 3, 7] {
                assert_eq!(bits(&run(n_threads)), bits(&alone), "{kv_type:?}, {n_threads}");
            }
        }
    }
}

#[test]
fn no_queries_are_no_work() {
    let fixture = Fixture::filled(layout(16, KvType::F16), &[5], 1.0);
    let segments = Fixture::segments(&fixture.tables, &[(0, 5)]);
    paged_attention(fixture.pool.layer(0), &[], &segments, 1.0, &mut []);
    paged_attention(fixture.pool.layer(0), &[], &[], 1.0, &mut []);
}

#[track_caller]
fn attend(lens: (usize, usize), n_values: usize, n_out: usize) {
    let fixture = Fixture::filled(layout(16, KvType::F16), &[5], 1.0);
    let segments = Fixture::segments(&fixture.tables, &[lens]);
    let (queries, mut out) = (vec![0.0; n_values], vec![0.0; n_out]);
    paged_attention(fixture.pool.layer(0), &queries, &segments, 1.0, &mut out);
}

#[test]
#[should_panic(expected = "queries and output must have the same length")]
fn an_output_of_another_length_is_refused() {
    attend((1, 5), 32, 31);
}

#[test]
#[should_panic(expected = "48 values are not 1 queries of a multiple of 2 heads of 16")]
fn heads_that_are_not_shared_evenly_are_refused() {
    attend((1, 5), 48, 48);
}

#[test]
#[should_panic(expected = "0 values are not 1 queries")]
fn missing_queries_are_refused() {
    attend((1, 5), 0, 0);
}

#[test]
#[should_panic(expected = "no segment has queries, yet there are 32")]
fn queries_of_no_segment_are_refused() {
    attend((0, 5), 32, 32);
}

#[test]
#[should_panic(expected = "a context of 65 needs 2 blocks, the table has 1")]
fn a_context_beyond_the_table_is_refused() {
    attend((1, 65), 32, 32);
}

#[test]
#[should_panic(expected = "block 9 does not exist, there are 1")]
fn a_table_with_a_block_that_does_not_exist_is_refused() {
    let fixture = Fixture::filled(layout(16, KvType::F16), &[5], 1.0);
    let segment = Segment { n_queries: 1, context: 5, block_table: &[9] };
    paged_attention(fixture.pool.layer(0), &[0.0; 32], &[segment], 1.0, &mut [0.0; 32]);
}
