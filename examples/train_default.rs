//! Trains the small model that `chat` talks with, from nothing but the mini-world.
//!
//! ```text
//! cargo run --release --example train_default -- --out out/default
//! ```
//!
//! A plain loop: conversations packed into rows, AdamW, the loss on what the assistant says.
//! The same arguments give the same weights on the same machine.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a front end talks to its user")]

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use burn::module::Module as _;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use puyu::model::{
    Checkpoint, Decoder, DecoderConfig, KvCache, LoadOptions, Preset, RopeConfig, RopeScaling,
    SaveOptions, SequencePlan, Unobserved, WeightDtype, read,
};
use puyu_examples::mini_world;
use tokenizers::Tokenizer;

/// Trains the default model of the chat example on the bilingual mini-world.
#[derive(Parser)]
struct Arguments {
    /// Folder for the finished model.
    #[arg(long, default_value = "out/default")]
    out: PathBuf,
    /// Optimiser steps.
    #[arg(long, default_value_t = 2700)]
    steps: usize,
    /// Tokens of a step.
    #[arg(long, default_value_t = 1536)]
    tokens: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 3e-3)]
    learning_rate: f64,
    /// Pieces of the vocabulary.
    #[arg(long, default_value_t = 1536)]
    vocab_size: usize,
    /// Number that decides the weights and the order of the conversations.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Steps between two saved models.
    #[arg(long, default_value_t = 500)]
    save_every: usize,
}

/// Conversations that the tokenizer learns its pieces from.
const TOKENIZER_CONVERSATIONS: u64 = 20_000;

/// Steps over which the learning rate rises.
const WARM_UP_STEPS: usize = 100;

fn main() -> std::process::ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => puyu_examples::fail(&error),
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let tokenizer =
        mini_world::train_tokenizer(arguments.seed, TOKENIZER_CONVERSATIONS, arguments.vocab_size)?;
    mini_world::write_tokenizer(&tokenizer, &arguments.out)?;

    let config = config(tokenizer.get_vocab_size(true));
    println!("{} parameters, {} pieces", config.n_parameters(), config.vocab_size);
    let mut model = Decoder::init(&config, arguments.seed, &Device::flex().autodiff())?;
    let mut optimizer = AdamWConfig::new()
        .with_beta_2(0.95)
        .with_epsilon(1e-8)
        .with_weight_decay(0.1)
        .with_grad_clipping(Some(burn::grad_clipping::GradientClippingConfig::Norm(1.0)))
        .init();
    let mut packer = Packer::new(&tokenizer, arguments.seed);
    let progress = progress_bar(arguments.steps)?;
    let mut smooth_loss = f32::NAN;
    for step in 0..arguments.steps {
        let batch = packer.batch(arguments.tokens)?;
        let loss = loss(&model, &batch)?;
        let value = read(loss.clone())?.first().copied().context("a loss is one number")?;
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let rate = learning_rate(arguments, step);
        model = optimizer.step(rate, model, gradients);

        smooth_loss = if step == 0 { value } else { 0.98 * smooth_loss + 0.02 * value };
        progress.set_message(format!("loss {smooth_loss:.4}"));
        progress.inc(1);
        if (step + 1) % arguments.save_every == 0 || step + 1 == arguments.steps {
            save(&model.valid(), &arguments.out)?;
            progress.suspend(|| println!("step {}: loss {smooth_loss:.4}", step + 1));
        }
    }
    progress.finish();
    examine(&arguments.out, &tokenizer)
}

/// Less than three million weights: small enough to ship, large enough for the mini-world.
fn config(vocab_size: usize) -> DecoderConfig {
    let mut config = Preset::Tiny.config();
    config.vocab_size = vocab_size;
    config.hidden_size = 192;
    config.n_layers = 4;
    config.n_heads = 6;
    config.n_kv_heads = 3;
    config.head_dim = 32;
    config.intermediate_size = 576;
    config.max_position_embeddings = 1024;
    config.rope = RopeConfig {
        theta: 10_000.0,
        head_dim: 32,
        max_position_embeddings: 1024,
        scaling: RopeScaling::None,
    };
    config
}

fn progress_bar(steps: usize) -> anyhow::Result<ProgressBar> {
    let style =
        ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {per_sec}, {eta} left, {msg}")?;
    Ok(ProgressBar::new(steps as u64).with_style(style))
}

/// Rises linearly, then falls along a cosine to a twentieth.
fn learning_rate(arguments: &Arguments, step: usize) -> f64 {
    let warm_up = ((step + 1) as f64 / WARM_UP_STEPS as f64).min(1.0);
    let done = step as f64 / arguments.steps as f64;
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
    arguments.learning_rate * warm_up * (0.05 + 0.95 * cosine)
}

/// Rows of whole conversations, and which tokens are learned.
struct Batch {
    rows: Vec<Vec<u32>>,
    document_lengths: Vec<Vec<usize>>,
    /// Flat positions whose next token the assistant says.
    positions: Vec<i32>,
    /// Those next tokens.
    targets: Vec<i32>,
}

/// Tokens of a row, short and long: attention costs the square of it, and two conversations of
/// three have fewer than 64 tokens.
const ROW_TOKENS: [usize; 2] = [64, 256];

/// One conversation in so many is a showcase question, so that the answers which documents show
/// are learned for sure.
const SHOWCASE_ONE_IN: u64 = 24;

/// A conversation as ids, and which of them are learned.
type Document = (Vec<u32>, Vec<bool>);

/// Takes conversations of the world one after the other and packs them by length.
struct Packer<'a> {
    tokenizer: &'a Tokenizer,
    seed: u64,
    next: u64,
    /// Waiting documents of each row length.
    waiting: [Vec<Document>; 2],
}

impl<'a> Packer<'a> {
    fn new(tokenizer: &'a Tokenizer, seed: u64) -> Self {
        Self { tokenizer, seed, next: 0, waiting: [Vec::new(), Vec::new()] }
    }

    /// Rows of one length, `n_tokens` in all.
    fn batch(&mut self, n_tokens: usize) -> anyhow::Result<Batch> {
        loop {
            for (kind, row_tokens) in ROW_TOKENS.into_iter().enumerate() {
                let n_waiting: usize = self.waiting[kind].iter().map(|(ids, _)| ids.len()).sum();
                // A little more than needed, since rows are not filled to the brim.
                if n_waiting >= 2 * n_tokens {
                    return Ok(pack(&mut self.waiting[kind], n_tokens / row_tokens, row_tokens));
                }
            }
            let document = self.conversation(self.next)?;
            self.next += 1;
            match ROW_TOKENS.iter().position(|&row_tokens| document.0.len() <= row_tokens) {
                Some(kind) => self.waiting[kind].push(document),
                None => continue,
            }
        }
    }

    fn conversation(&self, index: u64) -> anyhow::Result<Document> {
        let turns = if index.is_multiple_of(SHOWCASE_ONE_IN) {
            let showcase = mini_world::showcase();
            let (question, answer) = showcase[(index / SHOWCASE_ONE_IN) as usize % showcase.len()];
            vec![
                mini_world::Turn::new(puyu_core::Role::User, question),
                mini_world::Turn::new(puyu_core::Role::Assistant, answer),
            ]
        } else {
            mini_world::conversation(self.seed, index).turns
        };
        let (mut ids, mut is_learned) = (Vec::new(), Vec::new());
        for segment in mini_world::segments(&turns) {
            let piece = encode(self.tokenizer, &segment.text)?;
            is_learned.resize(is_learned.len() + piece.len(), segment.is_learned);
            ids.extend(piece);
        }
        Ok((ids, is_learned))
    }
}

/// Fills rows with waiting documents, oldest first, each into the first row with room.
fn pack(waiting: &mut Vec<Document>, n_rows: usize, row_tokens: usize) -> Batch {
    let mut batch = Batch {
        rows: vec![Vec::new(); n_rows],
        document_lengths: vec![Vec::new(); n_rows],
        positions: Vec::new(),
        targets: Vec::new(),
    };
    waiting.retain(|(ids, is_learned)| {
        let has_room = |row: &Vec<u32>| row.len() + ids.len() <= row_tokens;
        let Some(row) = batch.rows.iter().position(has_room) else { return true };
        for (index, pair) in ids.windows(2).enumerate() {
            if is_learned[index + 1] {
                let position = row * row_tokens + batch.rows[row].len() + index;
                batch.positions.push(position as i32);
                batch.targets.push(pair[1] as i32);
            }
        }
        batch.document_lengths[row].push(ids.len());
        batch.rows[row].extend(ids);
        false
    });
    for (row, lengths) in batch.rows.iter_mut().zip(&mut batch.document_lengths) {
        // What is left of a row is a document of its own from which nothing is learned.
        if row.len() < row_tokens {
            lengths.push(row_tokens - row.len());
            row.resize(row_tokens, 2);
        }
    }
    batch
}

fn encode(tokenizer: &Tokenizer, text: &str) -> anyhow::Result<Vec<u32>> {
    let encoding = tokenizer.encode(text, false).map_err(|error| anyhow::anyhow!(error))?;
    Ok(encoding.get_ids().to_vec())
}

/// Mean negative log-likelihood of the learned tokens.
fn loss(model: &Decoder, batch: &Batch) -> anyhow::Result<Tensor<1>> {
    let device = model.device();
    let n = batch.positions.len();
    let ints = |values: &[i32]| -> Tensor<1, Int> {
        Tensor::from_data(TensorData::new(values.to_vec(), [n]), &device)
    };
    let hidden = model.hidden_packed(&batch.rows, &batch.document_lengths, &mut Unobserved)?;
    let [b, t, d] = hidden.dims();
    let learned: Tensor<2> = hidden.reshape([b * t, d]).select(0, ints(&batch.positions));
    let logits: Tensor<2> = model.project(learned.unsqueeze()).squeeze_dim(0);
    let targets: Tensor<2, Int> = ints(&batch.targets).unsqueeze_dim(1);
    Ok(log_softmax(logits, 1).gather(1, targets).mean().neg())
}

/// Writes the model in bf16, half the size of what was trained.
fn save(model: &Decoder, out: &Path) -> anyhow::Result<()> {
    let wide = out.join(".f32");
    model.save(&wide, &SaveOptions::default())?;
    let options = LoadOptions { weights: WeightDtype::Bf16, ..LoadOptions::default() };
    let narrow = Checkpoint::open(&wide)?.load(&options, &Device::flex())?;
    let generation = serde_json::json!({
        "bos_token_id": 1,
        "eos_token_id": [2, narrow.config().vocab_size - 2],
        "pad_token_id": 2,
        "do_sample": false,
        "max_new_tokens": 256,
    });
    let options = SaveOptions {
        generation_config_json: Some(format!("{generation:#}\n")),
        ..SaveOptions::default()
    };
    narrow.save(out, &options)?;
    std::fs::remove_dir_all(&wide).with_context(|| format!("cannot remove {}", wide.display()))
}

/// Asks the saved model about numbers it never saw and facts it did, and says how it did.
fn examine(out: &Path, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    let model = Checkpoint::open(out)?.load(&LoadOptions::default(), &Device::flex())?;
    let mut groups: std::collections::BTreeMap<String, (usize, usize)> = Default::default();
    for question in mini_world::held_out() {
        let found = answer(&model, tokenizer, &mini_world::render_prompt(&question.turns))?;
        let score = groups.entry(format!("{:?}", question.group)).or_default();
        score.1 += 1;
        if found == question.answer {
            score.0 += 1;
        } else {
            let asked = &question.turns.last().context("a question has a turn")?.text;
            println!("  {asked}\n    expected {}\n    found    {found}", question.answer);
        }
    }
    let mut all = (0, 0);
    for (group, (right, asked)) in groups {
        println!("{right:3} of {asked:3}  {group}");
        all = (all.0 + right, all.1 + asked);
    }
    println!("{:3} of {:3}  in all", all.0, all.1);
    for (question, expected) in mini_world::showcase() {
        let turns = [mini_world::Turn::new(puyu_core::Role::User, question)];
        let found = answer(&model, tokenizer, &mini_world::render_prompt(&turns))?;
        println!("{question}\n  {found}{}", if found == expected { "" } else { "  (wrong)" });
    }
    Ok(())
}

/// The greedy answer, up to the end of the turn.
fn answer(model: &Decoder, tokenizer: &Tokenizer, prompt: &str) -> anyhow::Result<String> {
    const NEW_TOKENS: usize = 160;
    let end = tokenizer.token_to_id(mini_world::TURN_END).context("no end of turn")?;
    let mut step = encode(tokenizer, prompt)?;
    let plan = SequencePlan::unpadded(vec![step.len()]);
    let mut cache = KvCache::new(model.config(), plan, step.len() + NEW_TOKENS);
    let mut new = Vec::new();
    while new.len() < NEW_TOKENS {
        let logits = read(model.forward_last(&[step], &mut cache)?)?;
        let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let id = best.context("a row of logits is not empty")?.0 as u32;
        if id == end {
            break;
        }
        new.push(id);
        step = vec![id];
    }
    tokenizer.decode(&new, false).map_err(|error| anyhow::anyhow!(error))
}
