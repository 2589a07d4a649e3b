//! Against the processors and warpers of Hugging Face's Transformers 4.46.3.

use puyu_testkit::{Golden, Tolerance, assert_close, shared};

use super::super::filters::{Candidates, scale};
use super::super::penalties::{Occurrences, Penalties};
use super::*;

/// Values within 1e-6, as the goldens promise; impossible tokens must be the same.
const TOLERANCE: Tolerance = Tolerance::within(1e-6);

struct Case {
    golden: Golden,
    vocab_size: usize,
}

impl Case {
    fn open() -> Option<Self> {
        let golden = Golden::open(shared("fixtures/ops/golden.safetensors")?);
        let vocab_size = golden.shape("sampling.logits")[1];
        Some(Self { golden, vocab_size })
    }

    fn rows(&self, name: &str) -> Vec<Vec<f32>> {
        self.golden.f32(name).chunks(self.vocab_size).map(<[f32]>::to_vec).collect()
    }

    /// Compares what `apply` makes of each row of logits with the golden of that name.
    #[track_caller]
    fn check(&self, name: &str, apply: impl Fn(&mut Vec<f32>, &[u32])) {
        let previous = self.golden.u32("sampling.prev_ids");
        let previous = previous.chunks(self.golden.shape("sampling.prev_ids")[1]);
        let (rows, expected) = (self.rows("sampling.logits"), self.rows(name));
        for ((mut row, expected), previous) in rows.into_iter().zip(expected).zip(previous) {
            apply(&mut row, previous);
            assert_close(&row, &expected, TOLERANCE);
        }
    }
}

/// Writes minus infinity where a token was filtered out.
fn write_back(candidates: &Candidates, row: &mut [f32]) {
    row.fill(f32::NEG_INFINITY);
    for entry in candidates.entries() {
        row[entry.id as usize] = entry.logit;
    }
}

#[test]
fn each_stage_matches_the_original() {
    let Some(case) = Case::open() else { return };
    case.check("sampling.temperature0.7", |row, _| scale(row, 0.7));
    case.check("sampling.repetition1.3", |row, previous| {
        let options = GenerateOptions::default().with_repetition_penalty(1.3);
        let penalties = Penalties::of(&options).unwrap();
        penalties.apply(row, history(previous, &[]), &mut Occurrences::default());
    });
    case.check("sampling.top_k5", |row, _| {
        let mut candidates = Candidates::default();
        candidates.fill_top_k(row, 5);
        write_back(&candidates, row);
    });
    for (name, top_p) in [("sampling.top_p0.8", 0.8), ("sampling.top_p0.05", 0.05)] {
        case.check(name, |row, _| {
            let mut candidates = Candidates::default();
            candidates.fill(row);
            candidates.keep_top_p(top_p);
            write_back(&candidates, row);
        });
    }
    case.check("sampling.min_p0.1", |row, _| {
        let mut candidates = Candidates::default();
        candidates.fill(row);
        candidates.keep_min_p(0.1);
        write_back(&candidates, row);
    });
}

#[test]
fn the_stages_one_after_the_other_match_the_original() {
    let Some(case) = Case::open() else { return };
    let options = GenerateOptions::default()
        .with_repetition_penalty(1.1)
        .with_temperature(0.8)
        .with_top_k(40)
        .with_top_p(0.9);
    case.check("sampling.chain_rep1.1_t0.8_k40_p0.9_probs", |row, previous| {
        let mut sampler = Sampler::new(&options).unwrap();
        sampler.alter(row, history(previous, &[]));
        sampler.narrow(row);
        let entries = sampler.candidates.entries();
        let total: f32 = entries.iter().map(|entry| entry.weight).sum();
        row.fill(0.0);
        for entry in entries {
            row[entry.id as usize] = entry.weight / total;
        }
    });
}
