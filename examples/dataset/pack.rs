//! `pack`: token caches to rows of fixed length.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use puyu_dataset::pack::{PackMethod, PackOptions, PackPlan, PackReport};
use puyu_dataset::report::{Align, Table};
use puyu_dataset::tokens::{Job, TokenCache};
use serde::Serialize;

use crate::output::Output;

/// Token caches to rows of fixed length.
#[derive(Args)]
pub struct Arguments {
    /// Folders that `tokenize` wrote, or single caches inside of them.
    #[arg(required = true)]
    caches: Vec<PathBuf>,
    /// The length of a row, in tokens.
    #[arg(long, value_name = "N", default_value_t = PackOptions::default().pack_tokens)]
    pack_tokens: u32,
    /// Which documents share a row.
    #[arg(long, value_enum, default_value_t = Method::BestFit)]
    method: Method,
    /// Decides which of the equally long documents meet with best-fit.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The plan to write.
    #[arg(long, value_name = "FILE.plan")]
    out: PathBuf,
    /// Print the pieces of this row, counted from 0.
    #[arg(long, value_name = "ROW")]
    show: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Method {
    /// One document per row.
    None,
    /// The stream of all documents, cut at every row's end.
    Concat,
    /// Longest document first, each into the fullest row that still has room.
    BestFit,
}

#[derive(Serialize)]
struct Answer {
    out: String,
    documents: u64,
    #[serde(flatten)]
    report: PackReport,
    /// The share of padding, from 0 to 1.
    waste: f64,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<Vec<Shown>>,
}

/// A piece of the row that was asked for.
#[derive(Serialize)]
struct Shown {
    document: u64,
    /// Where in the document the piece begins, in tokens.
    from: u64,
    tokens: u32,
    first_ids: Vec<u32>,
}

pub fn run(arguments: &Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    let mut caches = Vec::new();
    for folder in &arguments.caches {
        caches.extend(open(folder)?);
    }
    let options = PackOptions {
        pack_tokens: arguments.pack_tokens,
        method: match arguments.method {
            Method::None => PackMethod::None,
            Method::Concat => PackMethod::Concat,
            Method::BestFit => PackMethod::BestFit,
        },
        seed: arguments.seed,
        ..PackOptions::default()
    };
    let plan = PackPlan::for_caches(&caches, &options)?;
    let shown = arguments.show.map(|row| show(&plan, &caches, row)).transpose()?;
    plan.save(&arguments.out)?;
    let answer = Answer {
        out: arguments.out.display().to_string(),
        documents: plan.n_documents(),
        report: plan.report(),
        waste: plan.report().waste(),
        fingerprint: plan.fingerprint().to_string(),
        shown,
    };
    output.answer(&answer, text)?;
    Ok(ExitCode::SUCCESS)
}

/// The caches of a finished job, or the one cache that the folder is.
fn open(folder: &Path) -> anyhow::Result<Vec<TokenCache>> {
    if folder.join("job.json").is_file() {
        return Job::open(folder)?.caches().with_context(|| {
            format!("{} is not finished: run `tokenize` again", folder.display())
        });
    }
    let cache = TokenCache::open(folder)
        .with_context(|| format!("{} holds no token cache", folder.display()))?;
    Ok(vec![cache])
}

fn show(plan: &PackPlan, caches: &[TokenCache], row: u64) -> anyhow::Result<Vec<Shown>> {
    ensure!(row < plan.n_packs(), "--show: expected a row below {}, found {row}", plan.n_packs());
    let mut ends = Vec::new();
    let mut end = 0;
    for length in caches.iter().flat_map(TokenCache::lengths) {
        end += length;
        ends.push(end);
    }
    let mut shown = Vec::new();
    for piece in plan.pack(row) {
        let document = ends.partition_point(|&end| end <= piece.first_token);
        let start = document.checked_sub(1).map_or(0, |before| ends[before]);
        let first = piece.first_token..piece.first_token + u64::from(piece.n_tokens.min(8));
        shown.push(Shown {
            document: document as u64,
            from: piece.first_token - start,
            tokens: piece.n_tokens,
            first_ids: ids(caches, first),
        });
    }
    Ok(shown)
}

/// Tokens of one document, by their numbers over all caches.
fn ids(caches: &[TokenCache], range: std::ops::Range<u64>) -> Vec<u32> {
    let mut before = 0;
    for cache in caches {
        if range.start < before + cache.n_tokens() {
            return cache.tokens(range.start - before..range.end - before).into_owned();
        }
        before += cache.n_tokens();
    }
    Vec::new()
}

fn text(answer: &Answer) -> String {
    let right = [Align::Left, Align::Right];
    let mut table = Table::new(["", "count"]).with_alignment(right);
    let report = &answer.report;
    table.push(["documents".to_owned(), answer.documents.to_string()]);
    table.push(["rows".to_owned(), report.packs.to_string()]);
    table.push(["tokens".to_owned(), report.tokens.to_string()]);
    let padding = format!("{} ({:.2} %)", report.padding_tokens, 100.0 * answer.waste);
    table.push(["padding".to_owned(), padding]);
    table.push(["documents cut".to_owned(), report.cut_documents.to_string()]);
    let mut text = format!("{table}\nwritten: {}\n", answer.out);
    if let Some(pieces) = &answer.shown {
        let right = [Align::Right; 3];
        let mut table =
            Table::new(["document", "from token", "tokens", "first ids"]).with_alignment(right);
        for piece in pieces {
            let ids: Vec<String> = piece.first_ids.iter().map(u32::to_string).collect();
            table.push([
                piece.document.to_string(),
                piece.from.to_string(),
                piece.tokens.to_string(),
                ids.join(" "),
            ]);
        }
        text.push_str(&format!("\n{table}"));
    }
    text
}
