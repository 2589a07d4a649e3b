//! Shares as integers, and who is next.
//!
//! Everything after the weights themselves is integer arithmetic, so that every machine draws the
//! same sequence.

/// The sum of all shares: fine enough that rounding moves a source by less than one row in 10^15.
pub(super) const WHOLE: u64 = 1 << 52;

/// Integer shares of [`WHOLE`] in proportion to `weights`, by largest remainder; a weight above 0
/// gets at least 1. `None` if no weight is above 0.
pub(super) fn shares_of(weights: &[f64]) -> Option<Vec<u64>> {
    let largest = weights.iter().copied().fold(0.0, f64::max);
    if largest <= 0.0 {
        return None;
    }
    // The largest becomes 2^52, which an `f64` holds exactly; products below fit 128 bits.
    let scaled: Vec<u64> = weights
        .iter()
        .map(|&weight| match weight > 0.0 {
            true => ((weight / largest * (1_u64 << 52) as f64) as u64).max(1),
            false => 0,
        })
        .collect();
    apportion(WHOLE, &scaled)
}

/// Cuts `whole` in proportion to `weights`, by largest remainder, ties by index. A weight above 0
/// gets at least 1 as long as the largest can spare it. `None` if all weights are 0.
pub(super) fn apportion(whole: u64, weights: &[u64]) -> Option<Vec<u64>> {
    let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    if sum == 0 {
        return None;
    }
    let product = |weight: u64| u128::from(weight) * u128::from(whole);
    let mut shares: Vec<u64> =
        weights.iter().map(|&weight| (product(weight) / sum) as u64).collect();
    let left = whole - shares.iter().sum::<u64>();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|&i| std::cmp::Reverse(product(weights[i]) % sum));
    for &index in by_remainder.iter().take(left as usize) {
        shares[index] += 1;
    }
    for index in 0..shares.len() {
        let largest = (0..shares.len()).max_by_key(|&i| shares[i]).unwrap_or(index);
        if weights[index] > 0 && shares[index] == 0 && shares[largest] > 1 {
            shares[largest] -= 1;
            shares[index] += 1;
        }
    }
    Some(shares)
}

/// Whose turn it is after `step` steps, of which each source had `counts`.
///
/// Among the sources that may have another row without being a whole row ahead, the one that would
/// be a whole row behind first. Simply the largest deficit first does not keep all within one row
/// (1.14 rows were found with six sources); earliest deadline first does, since each row of a
/// source has a time window of its own and one row a step is exactly enough.
///
/// Source: Baruah, Cohen, Plaxton and Varvel, "Proportionate Progress", Algorithmica 1996, for one
/// processor; the bound as in Tijdeman, "The chairman assignment problem", 1980.
pub(super) fn next_source(shares: &[u64], whole: u64, counts: &[u64], step: u64) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (index, (&share, &count)) in shares.iter().zip(counts).enumerate() {
        let behind =
            u128::from(share) * (u128::from(step) + 1) > u128::from(count) * u128::from(whole);
        if !behind {
            continue;
        }
        // The deadline of the next row is (count + 1) / share, in units of `whole` steps.
        let earlier = best.is_none_or(|best| {
            (u128::from(count) + 1) * u128::from(shares[best])
                < (u128::from(counts[best]) + 1) * u128::from(share)
        });
        if earlier {
            best = Some(index);
        }
    }
    best
}

/// What decides the quotas of a batch.
pub(super) struct BatchPlan<'a> {
    /// Of the sources, in parts of [`WHOLE`].
    pub(super) shares: &'a [u64],
    /// Rows drawn since the shares are as they are.
    pub(super) counts: &'a [u64],
    /// Steps since then.
    pub(super) steps: u64,
    /// Rows in a batch.
    pub(super) batch: u64,
    /// Rows that each source has before its cap.
    pub(super) left: &'a [u64],
}

impl BatchPlan<'_> {
    /// How many rows each source has in the next batch: its share rounded down, and one more for
    /// the sources furthest behind. What capped sources cannot give is cut among the others.
    pub(super) fn quotas(&self) -> Vec<u64> {
        let mut quotas = vec![0; self.shares.len()];
        self.add_shares(self.batch, self.shares, &mut quotas);
        loop {
            let rest = self.batch - quotas.iter().sum::<u64>();
            let open: Vec<usize> = (0..quotas.len())
                .filter(|&i| self.shares[i] > 0 && quotas[i] < self.left[i])
                .collect();
            if rest == 0 || open.is_empty() {
                return quotas;
            }
            if rest <= open.len() as u64 {
                self.add_ones(rest, open, &mut quotas);
                continue;
            }
            // Only where caps were met. Each time round hands out most of it or meets a cap.
            let masked: Vec<u64> = (0..quotas.len())
                .map(|i| if open.contains(&i) { self.shares[i] } else { 0 })
                .collect();
            match apportion(WHOLE, &masked) {
                Some(shares) => self.add_shares(rest, &shares, &mut quotas),
                None => return quotas,
            }
        }
    }

    fn add_shares(&self, rows: u64, shares: &[u64], quotas: &mut [u64]) {
        for (index, quota) in quotas.iter_mut().enumerate() {
            let due = u128::from(shares[index]) * u128::from(rows) / u128::from(WHOLE);
            *quota += (due as u64).min(self.left[index] - *quota);
        }
    }

    /// One row each for `rest` of the open sources: those furthest behind, of those whose share of
    /// a batch is no whole number.
    fn add_ones(&self, rest: u64, mut open: Vec<usize>, quotas: &mut [u64]) {
        let whole = u128::from(WHOLE);
        let lag = |index: usize| {
            let steps = u128::from(self.steps) + u128::from(self.batch);
            let had = u128::from(self.counts[index]) + u128::from(quotas[index]);
            // Both are below 2^118, so neither conversion changes the value.
            (u128::from(self.shares[index]) * steps) as i128 - (had * whole) as i128
        };
        open.sort_by_cached_key(|&index| {
            let due = u128::from(self.shares[index]) * u128::from(self.batch);
            (due.is_multiple_of(whole), std::cmp::Reverse(lag(index)))
        });
        for index in open.into_iter().take(rest as usize) {
            quotas[index] += 1;
        }
    }
}
