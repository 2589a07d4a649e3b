//! `tokenize`: documents to token caches, shard by shard, by any number of processes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::Args;
use puyu_dataset::manifest::{Manifest, ScanOptions};
use puyu_dataset::report::{Align, Table};
use puyu_dataset::tokens::{
    CacheIdentity, Claim, InternEvoWriter, Job, JobShard, JobStatus, MegatronWriter, TokenCache,
    TokenizeOptions, TokenizeReport, Worker, tokenize, tokenizer_fingerprint,
};
use puyu_text::Tokenizer;
use serde::Serialize;

use crate::output::Output;
use crate::rows::{self, LeftOut, Source};

/// Documents to token caches.
///
/// Start the same command as often as you like, on as many machines as see the folder: each takes
/// shards that nobody has, until none is left.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The folder of the tokenizer, or its file.
    #[arg(long, value_name = "FOLDER")]
    tokenizer: PathBuf,
    /// The folder of the caches, one for each data file.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Begin every document with the token for its beginning (the default).
    #[arg(long, overrides_with = "no_add_bos")]
    add_bos: bool,
    /// Do not.
    #[arg(long)]
    no_add_bos: bool,
    /// End every document with the token for its end (the default).
    #[arg(long, overrides_with = "no_add_eos")]
    add_eos: bool,
    /// Do not.
    #[arg(long)]
    no_add_eos: bool,
    /// The name under which this process takes shards [default: its number]
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Shards that a process took and has not spoken of for so long are free again.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    stale_minutes: u64,
    /// When all is done, also write PREFIX.bin and PREFIX.idx for Megatron.
    #[arg(long, value_name = "PREFIX")]
    megatron: Option<PathBuf>,
    /// When all is done, also write a .bin file for InternEvo.
    #[arg(long, value_name = "FILE.bin")]
    internevo: Option<PathBuf>,
}

#[derive(Serialize)]
struct Answer {
    out: String,
    /// Shards that this process did.
    shards: usize,
    #[serde(flatten)]
    report: TokenizeReport,
    seconds: f64,
    megabytes_per_second: f64,
    status: JobStatus,
    /// Of all caches, once the job is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Total>,
    #[serde(flatten)]
    left_out: LeftOut,
}

#[derive(Serialize)]
struct Total {
    documents: u64,
    tokens: u64,
}

/// What is the same for all shards.
struct Work<'a> {
    arguments: &'a Arguments,
    output: &'a Output,
    options: TokenizeOptions,
    tokenizer: Tokenizer,
    manifest: Manifest,
}

pub fn run(arguments: &Arguments, output: &Output) -> anyhow::Result<ExitCode> {
    rows::set_threads(output)?;
    let tokenizer = Tokenizer::open(&arguments.tokenizer).context("no tokenizer")?;
    let options = TokenizeOptions {
        field: arguments.source.field.clone().unwrap_or_else(|| "content or text".to_owned()),
        add_bos: !arguments.no_add_bos,
        add_eos: !arguments.no_add_eos,
        ..TokenizeOptions::default()
    };
    let bar = output.bytes_bar(0, "scanning");
    let manifest = Manifest::scan(&arguments.source.paths, &ScanOptions::default(), &|progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes_done);
    })
    .context("no data to read")?;
    bar.finish_and_clear();
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot create {}", arguments.out.display()))?;
    let work = Work { arguments, output, options, tokenizer, manifest };
    let job = work.job()?;
    let mut answer = work.take_shards(&job)?;
    let is_done = answer.status.done == job.shards().len();
    if is_done {
        job.sweep()?;
        let caches = job.caches()?;
        work.export(&caches)?;
        answer.total = Some(Total {
            documents: caches.iter().map(TokenCache::n_documents).sum(),
            tokens: caches.iter().map(TokenCache::n_tokens).sum(),
        });
    }
    output.answer(&answer, text)?;
    if !is_done && (arguments.megatron.is_some() || arguments.internevo.is_some()) {
        bail!("nothing exported: other processes still work; run this again when they are done");
    }
    Ok(ExitCode::SUCCESS)
}

impl Work<'_> {
    fn job(&self) -> anyhow::Result<Job> {
        let tokenizer = tokenizer_fingerprint(&self.arguments.tokenizer)?;
        let options = self.options.fingerprint();
        let shards = self.manifest.shards().iter().map(|shard| JobShard {
            source: shard.path.clone(),
            identity: CacheIdentity { source: shard.hash, tokenizer, options },
        });
        Job::create(&self.arguments.out, shards.collect())
            .with_context(|| format!("{} is of another job", self.arguments.out.display()))
    }

    fn worker(&self) -> anyhow::Result<Worker> {
        let owner = self.arguments.owner.clone();
        Ok(Worker {
            owner: owner.unwrap_or_else(|| format!("process {}", std::process::id())),
            now_s: now_s()?,
            stale_after_s: self.arguments.stale_minutes.saturating_mul(60),
        })
    }

    /// Takes shards until nobody needs help.
    fn take_shards(&self, job: &Job) -> anyhow::Result<Answer> {
        let bar = self.output.bytes_bar(self.manifest.n_bytes(), "tokenising");
        let started = Instant::now();
        let mut report = TokenizeReport::default();
        let (mut shards, mut left_out) = (0, LeftOut::default());
        while let Some(claim) = job.claim_next(&self.worker()?)? {
            let source = claim.shard().source.clone();
            let (of_shard, bad) = self.take(claim).with_context(|| format!("shard {source}"))?;
            shards += 1;
            report.documents += of_shard.documents;
            report.text_bytes += of_shard.text_bytes;
            report.tokens += of_shard.tokens;
            left_out.add(bad);
            let of_source = self.manifest.shards().iter().find(|shard| shard.path == source);
            bar.inc(of_source.map_or(0, |shard| shard.n_bytes));
        }
        bar.finish_and_clear();
        let seconds = started.elapsed().as_secs_f64();
        let worker = self.worker()?;
        Ok(Answer {
            out: self.arguments.out.display().to_string(),
            shards,
            megabytes_per_second: report.text_bytes as f64 / 1e6 / seconds.max(1e-9),
            report,
            seconds,
            status: job.status(worker.now_s, worker.stale_after_s)?,
            total: None,
            left_out,
        })
    }

    /// Tokenises one shard; gives it back if that fails.
    fn take(&self, mut claim: Claim) -> anyhow::Result<(TokenizeReport, LeftOut)> {
        let mut writer = claim.writer(self.tokenizer.vocab_size() as u64)?;
        match self.fill(&mut claim, &mut writer) {
            Ok(done) => {
                claim.commit(writer)?;
                Ok(done)
            }
            Err(error) => {
                claim.release()?;
                Err(error)
            }
        }
    }

    fn fill(
        &self,
        claim: &mut Claim,
        writer: &mut puyu_dataset::tokens::CacheWriter,
    ) -> anyhow::Result<(TokenizeReport, LeftOut)> {
        let path = self.manifest.root().join(&claim.shard().source);
        let field = self.arguments.source.field.clone();
        let mut documents = rows::open_files(vec![path], field, self.output)?;
        let pause = Duration::from_secs(self.arguments.stale_minutes.saturating_mul(15));
        let mut renewed = Instant::now();
        let texts = documents.by_ref().map(|document| {
            if renewed.elapsed() >= pause {
                renewed = Instant::now();
                claim.renew(now_s().unwrap_or(0))?;
            }
            Ok(document?.text)
        });
        let report = tokenize(texts, &self.tokenizer, &self.options, writer)?;
        Ok((report, documents.left_out()))
    }

    fn export(&self, caches: &[TokenCache]) -> anyhow::Result<()> {
        if let Some(prefix) = &self.arguments.megatron {
            export_megatron(caches, prefix, self.tokenizer.vocab_size() as u64)
                .with_context(|| format!("cannot export {}", prefix.display()))?;
        }
        if let Some(path) = &self.arguments.internevo {
            export_internevo(caches, path)
                .with_context(|| format!("cannot export {}", path.display()))?;
        }
        Ok(())
    }
}

fn export_megatron(caches: &[TokenCache], prefix: &Path, vocab_size: u64) -> anyhow::Result<()> {
    let mut writer = MegatronWriter::create(prefix, vocab_size)?;
    for document in caches.iter().flat_map(TokenCache::documents) {
        writer.push(&document)?;
    }
    Ok(writer.finish()?)
}

fn export_internevo(caches: &[TokenCache], path: &Path) -> anyhow::Result<()> {
    let mut writer = InternEvoWriter::create(path)?;
    for cache in caches {
        for number in 0..cache.n_documents() {
            writer.push(&cache.marked_document(number))?;
        }
    }
    Ok(writer.finish()?)
}

fn now_s() -> anyhow::Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(now.context("the clock stands before 1970")?.as_secs())
}

fn text(answer: &Answer) -> String {
    let right = [Align::Left, Align::Right, Align::Right];
    let mut table = Table::new(["", "this run", "all"]).with_alignment(right);
    let status = &answer.status;
    let shards = status.done + status.claimed + status.open;
    let total = answer.total.as_ref();
    let all = |count: fn(&Total) -> u64| total.map_or_else(String::new, |t| count(t).to_string());
    let of = format!("{} of {shards}", status.done);
    table.push(["shards".to_owned(), answer.shards.to_string(), of]);
    let report = &answer.report;
    table.push(["documents".to_owned(), report.documents.to_string(), all(|t| t.documents)]);
    table.push(["tokens".to_owned(), report.tokens.to_string(), all(|t| t.tokens)]);
    table.push(["bytes of text".to_owned(), report.text_bytes.to_string()]);
    table.push(["seconds".to_owned(), format!("{:.2}", answer.seconds)]);
    table.push(["MB/s".to_owned(), format!("{:.2}", answer.megabytes_per_second)]);
    format!("{table}\nshards: {status}\n{}written: {}\n", answer.left_out.line(), answer.out)
}
