//! Temperature, and filters that narrow the choice of tokens.

use std::cmp::Ordering;

use super::row::{self, CHUNK};

/// Divides by the temperature. Finite logits stay finite.
///
/// # Panics
///
/// In debug builds, if the temperature is not above 0.
pub fn scale(logits: &mut [f32], temperature: f32) {
    debug_assert!(temperature > 0.0, "temperature 0 is greedy and divides nothing");
    if temperature == 1.0 {
        return;
    }
    for logit in logits {
        *logit = (*logit / temperature).min(f32::MAX);
    }
}

/// A token that may be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The token.
    pub id: u32,
    /// Its logit after all changes.
    pub logit: f32,
    /// Its probability up to a common factor: 1 for the most probable token.
    pub weight: f32,
}

impl Candidate {
    /// Most probable first, equal ones by id.
    fn rank(&self, other: &Self) -> Ordering {
        other.logit.total_cmp(&self.logit).then(self.id.cmp(&other.id))
    }
}

/// The tokens that may be drawn. Memory is kept from row to row.
///
/// Filters may be applied in any order after a fill; the order of the entries carries no meaning.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    entries: Vec<Candidate>,
}

impl Candidates {
    /// The tokens left.
    pub fn entries(&self) -> &[Candidate] {
        &self.entries
    }

    /// Takes all tokens of a row but the impossible ones.
    pub fn fill(&mut self, logits: &[f32]) {
        self.entries.clear();
        let possible = logits.iter().zip(0_u32..).filter(|(logit, _)| **logit > f32::NEG_INFINITY);
        self.entries.extend(possible.map(|(&logit, id)| Candidate { id, logit, weight: 0.0 }));
        self.weigh();
    }

    /// Takes the `k` tokens with the greatest logits, and all equal to the last of them.
    ///
    /// # Source
    ///
    /// `TopKLogitsWarper` of Hugging Face, which keeps equal ones too.
    pub fn fill_top_k(&mut self, logits: &[f32], k: usize) {
        self.collect_top_k(logits, k);
        self.weigh();
    }

    /// The `n` tokens with the greatest logits, best first, equal ones by id. Forgets what was
    /// there before.
    pub fn best(&mut self, logits: &[f32], n: usize) -> &[Candidate] {
        if n == 0 {
            return &[];
        }
        self.collect_top_k(logits, n);
        self.entries.sort_unstable_by(Candidate::rank);
        self.entries.truncate(n);
        &self.entries
    }

    /// The log-probability of a token, and the `n_top` most probable tokens with theirs. Forgets
    /// what was there before.
    pub(super) fn logprobs(
        &mut self,
        logits: &[f32],
        id: u32,
        n_top: usize,
    ) -> (f32, Vec<(u32, f32)>) {
        let log_total = row::log_sum_exp(logits);
        let logprob = |logit: f32| (f64::from(logit) - log_total) as f32;
        let top = self.best(logits, n_top);
        let top = top.iter().map(|entry| (entry.id, logprob(entry.logit))).collect();
        (logprob(logits[id as usize]), top)
    }

    /// Walks the row once with a floor that rises: a vocabulary is never copied, let alone sorted.
    fn collect_top_k(&mut self, logits: &[f32], k: usize) {
        let k = k.max(1);
        self.entries.clear();
        let mut floor = f32::NEG_INFINITY;
        // Cutting costs about as much as filling, so a few times k makes it rare.
        let mut limit = k.saturating_mul(4).max(4 * CHUNK);
        for (chunk, first_id) in logits.chunks(CHUNK).zip((0_u32..).step_by(CHUNK)) {
            let (greatest, _) = row::greatest(chunk);
            if greatest < floor || greatest == f32::NEG_INFINITY {
                continue;
            }
            for (&logit, id) in chunk.iter().zip(first_id..) {
                if logit >= floor && logit > f32::NEG_INFINITY {
                    self.entries.push(Candidate { id, logit, weight: 0.0 });
                }
            }
            if self.entries.len() >= limit {
                floor = self.cut_to_top_k(k);
                // Many equal logits cannot be cut; without this each chunk would try again.
                limit = limit.max(2 * self.entries.len());
            }
        }
        self.cut_to_top_k(k);
    }

    /// Returns the least logit kept if there were more than `k`.
    fn cut_to_top_k(&mut self, k: usize) -> f32 {
        if self.entries.len() <= k {
            return f32::NEG_INFINITY;
        }
        let by_logit = |a: &Candidate, b: &Candidate| b.logit.total_cmp(&a.logit);
        let (_, kth, _) = self.entries.select_nth_unstable_by(k - 1, by_logit);
        let floor = kth.logit;
        self.entries.retain(|entry| entry.logit >= floor);
        floor
    }

    fn weigh(&mut self) {
        let greatest = self.entries.iter().map(|entry| entry.logit);
        let greatest = greatest.fold(f32::NEG_INFINITY, f32::max);
        for entry in &mut self.entries {
            entry.weight = row::exp(entry.logit - greatest);
        }
    }

    fn total_weight(&self) -> f64 {
        self.entries.iter().map(|entry| f64::from(entry.weight)).sum()
    }

    /// Keeps the fewest most probable tokens whose share of the probability reaches `top_p`, at
    /// least one. 1 keeps all.
    ///
    /// # Source
    ///
    /// Holtzman et al., The Curious Case of Neural Text Degeneration; `TopPLogitsWarper`.
    pub fn keep_top_p(&mut self, top_p: f32) {
        if top_p >= 1.0 {
            return;
        }
        let total = self.total_weight();
        let mass = f64::from(top_p) * total;
        // All tokens below this weight have less than 1 - top_p together, even if every token were
        // one of them, so none of them is among the fewest. A thousandth is left for rounding.
        let floor = 0.999 * (total - mass) / self.entries.len() as f64;
        self.entries.retain(|entry| f64::from(entry.weight) >= floor);
        let n_kept = sort_until(&mut self.entries, Candidate::rank, mass);
        self.entries.truncate(n_kept);
    }

    /// Keeps tokens at least `min_p` times as probable as the most probable one. 0 keeps all.
    ///
    /// # Source
    ///
    /// Nguyen et al., Turning Up the Heat: Min-p Sampling; `MinPLogitsWarper`.
    pub fn keep_min_p(&mut self, min_p: f32) {
        if min_p <= 0.0 {
            return;
        }
        // The most probable token passes every filter but typical-p, which comes later; taking the
        // maximum again makes this hold whatever the order.
        let greatest = self.entries.iter().map(|entry| entry.weight).fold(0.0, f32::max);
        self.entries.retain(|entry| entry.weight >= min_p * greatest);
    }

    /// Keeps the tokens whose surprise is nearest to the expected surprise, until their share of
    /// the probability reaches `typical_p`, and all as near as the last of them. 1 keeps all.
    ///
    /// # Source
    ///
    /// Meister et al., Locally Typical Sampling; `TypicalLogitsWarper`.
    pub fn keep_typical_p(&mut self, typical_p: f32) {
        if typical_p >= 1.0 {
            return;
        }
        let total = self.total_weight();
        // With weights w = exp(x - max), surprise is ln(total) - ln(w), and the entropy its mean.
        // A weight that underflowed to 0 adds nothing to the mean.
        let greatest = self.entries.iter().map(|entry| entry.logit);
        let greatest = f64::from(greatest.fold(f32::NEG_INFINITY, f32::max));
        let surprise = |entry: &Candidate| total.ln() - (f64::from(entry.logit) - greatest);
        let entropy: f64 = self
            .entries
            .iter()
            .filter(|entry| entry.weight > 0.0)
            .map(|entry| f64::from(entry.weight) / total * surprise(entry))
            .sum();
        let distance = |entry: &Candidate| (surprise(entry) - entropy).abs();
        let nearest_first = |a: &Candidate, b: &Candidate| {
            distance(a).total_cmp(&distance(b)).then(a.id.cmp(&b.id))
        };
        let mass = f64::from(typical_p) * total;
        let n_kept = sort_until(&mut self.entries, nearest_first, mass);
        if let Some(last) = self.entries[..n_kept].last().copied() {
            self.entries.retain(|entry| distance(entry) <= distance(&last));
        }
    }

    /// The token at `uniform`, from 0 to below 1, on a scale where each token is as wide as it is
    /// probable. Tokens lie in order of their ids, so the outcome depends on the set only.
    ///
    /// # Panics
    ///
    /// If there are no entries, which a row accepted by [`argmax`](super::argmax) never leaves.
    pub fn draw(&mut self, uniform: f64) -> u32 {
        self.entries.sort_unstable_by_key(|entry| entry.id);
        let target = uniform * self.total_weight();
        let mut sum = 0.0;
        let mut last = None;
        for entry in self.entries.iter().filter(|entry| entry.weight > 0.0) {
            sum += f64::from(entry.weight);
            last = Some(entry.id);
            if target < sum {
                break;
            }
        }
        last.expect("filters keep at least one token, and the greatest weight is positive")
    }
}

/// Sorts as many entries as it takes for their weights to reach `mass`; returns how many, at
/// least one if there are any.
///
/// Most rows need a handful out of 100,000, so pieces of growing size are selected and sorted.
fn sort_until(
    entries: &mut [Candidate],
    compare: impl Fn(&Candidate, &Candidate) -> Ordering,
    mass: f64,
) -> usize {
    let mut sum = 0.0;
    let mut start = 0;
    let mut width = 64;
    while start < entries.len() {
        let rest = &mut entries[start..];
        if width < rest.len() {
            rest.select_nth_unstable_by(width, &compare);
        }
        let end = width.min(rest.len());
        rest[..end].sort_unstable_by(&compare);
        for (at, entry) in rest[..end].iter().enumerate() {
            sum += f64::from(entry.weight);
            if sum >= mass {
                return start + at + 1;
            }
        }
        start += end;
        width *= 8;
    }
    entries.len()
}
