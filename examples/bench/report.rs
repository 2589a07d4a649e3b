//! What was measured, as a table and as JSON.

use std::fmt;

use serde::Serialize;

use super::arguments::Arguments;
use super::measure::{Rate, What};
use super::model::Facts;
use super::roof::Roofs;
use super::serve::Served;

/// All results of a run.
#[derive(Serialize)]
pub(crate) struct Report {
    model: String,
    weights: String,
    kv: String,
    threads: usize,
    load_s: f64,
    /// Most memory of the process so far, where the system tells.
    peak_rss_bytes: Option<u64>,
    roofs: Roofs,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rates: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    served: Option<Served>,
}

/// What was measured.
pub(crate) enum Outcome {
    Rates(Vec<Rate>),
    Served(Served),
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    rate: Rate,
    /// Share of the read bandwidth for decoding, of the int8 multiply-adds for prefill.
    share_of_roof: f64,
    /// Seconds until the first token of a prompt, for prefill.
    first_token_s: Option<f64>,
}

impl Report {
    pub(crate) fn new(
        arguments: &Arguments,
        facts: &Facts,
        roofs: Roofs,
        outcome: Outcome,
    ) -> Self {
        let line = |rate: Rate| {
            let share_of_roof = match rate.what {
                What::Prefill => rate.tokens_per_s * facts.token_multiply_adds / roofs.int8_per_s,
                What::Decode => {
                    // The middle of what is decoded stands for all of it.
                    let context = rate.depth + arguments.tg / 2;
                    let steps_per_s = rate.tokens_per_s / rate.batch as f64;
                    let kv_bytes = facts.kv_bytes_per_token * (context * rate.batch) as f64;
                    steps_per_s * (facts.step_bytes + kv_bytes) / roofs.read_bytes_per_s
                }
            };
            let is_prefill = rate.what == What::Prefill;
            let first_token_s = is_prefill.then(|| arguments.pp as f64 / rate.tokens_per_s);
            Line { rate, share_of_roof, first_token_s }
        };
        let (rates, served) = match outcome {
            Outcome::Rates(rates) => (rates.into_iter().map(line).collect(), None),
            Outcome::Served(served) => (Vec::new(), Some(served)),
        };
        Self {
            model: facts.name.clone(),
            weights: format!("{:?}", arguments.weights),
            kv: format!("{:?}", arguments.kv),
            threads: arguments.threads().get(),
            load_s: facts.load_s,
            peak_rss_bytes: peak_rss_bytes(),
            roofs,
            rates,
            served,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, weights, kv, threads, load_s, roofs, .. } = self;
        writeln!(f, "{model}: weights {weights}, keys and values {kv}, {threads} threads")?;
        write!(f, "loaded in {load_s:.2} s")?;
        if let Some(bytes) = self.peak_rss_bytes {
            write!(f, ", peak memory {:.2} GB", bytes as f64 / 1e9)?;
        }
        writeln!(
            f,
            "\nroofs: read {:.1} GB/s, multiply-adds {:.0} G/s f32, {:.0} G/s int8\n",
            roofs.read_bytes_per_s / 1e9,
            roofs.f32_per_s / 1e9,
            roofs.int8_per_s / 1e9
        )?;
        if let Some(served) = &self.served {
            return served.fmt(f);
        }
        writeln!(f, "what      depth  batch   tokens/s     slowest    fastest  share of roof")?;
        for Line { rate, share_of_roof, .. } in &self.rates {
            let what = format!("{:?}", rate.what).to_lowercase();
            let (depth, batch, [slowest, fastest]) = (rate.depth, rate.batch, rate.spread);
            writeln!(
                f,
                "{what:8} {depth:6} {batch:6} {:10.2}  {slowest:10.2} {fastest:10.2}  {:11.1} %",
                rate.tokens_per_s,
                share_of_roof * 100.0
            )?;
        }
        Ok(())
    }
}

/// The kernel's count of the most memory that this process held.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
