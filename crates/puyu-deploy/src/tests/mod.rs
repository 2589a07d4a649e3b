//! A tiny model with a tiny tokenizer, made on the spot, and what is proved with it.
//!
//! Its weights are random, so it says nothing sensible; where a test needs known words, it allows
//! no others.

mod answer;
mod bad_input;
mod cancel;
mod chat;
mod ends;
mod generate;
mod open;
mod score;
mod served;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

use puyu_core::{
    Event, GenerateOptions, GenerateRequest, Generation, LanguageModel, Message, ModelError, Prompt,
};
use puyu_model::{DecoderConfig, Preset, write_random};
use puyu_testkit::{FIRST_PIECE, TempDir};
use serde_json::{Value, json};

use crate::{Pipeline, PipelineOptions};

/// Pieces after `<unk>`, `<s>`, `</s>` and the 256 bytes.
const PIECES: [&str; 24] = [
    "▁", "\n", "h", "e", "l", "o", "ll", "he", "llo", "hello", "▁hello", "你", "好", "你好", "天",
    "气", "天气", "上", "海", "上海", "。", "，", "好天", "!",
];
const MERGES: [&str; 9] =
    ["l l", "h e", "ll o", "he llo", "▁ hello", "你 好", "天 气", "上 海", "好 天"];
/// Special tokens after the pieces.
const CHAT_TOKENS: [&str; 6] = [
    "<|plugin|>",
    "<|interpreter|>",
    "<|action_end|>",
    "<|action_start|>",
    "<|im_end|>",
    "<|im_start|>",
];
/// Ids of the tokenizer.
const N_IDS: usize = FIRST_PIECE as usize + PIECES.len() + CHAT_TOKENS.len();

const BOS: u32 = 1;
const EOS: u32 = 2;

const ZH: [&str; 6] = ["你", "好", "你好", "天气", "上海", "。"];
const EN: [&str; 6] = ["he", "llo", "hello", "o", "▁", "!"];

fn id(piece: &str) -> u32 {
    if let Some(at) = PIECES.iter().position(|&known| known == piece) {
        return FIRST_PIECE + at as u32;
    }
    let at = CHAT_TOKENS.iter().position(|&known| known == piece).unwrap();
    FIRST_PIECE + (PIECES.len() + at) as u32
}

fn tokenizer_json() -> Value {
    puyu_testkit::tokenizer_json(&PIECES, &MERGES, &CHAT_TOKENS)
}

fn write_tokenizer(folder: &Path, tokenizer: &Value) {
    let settings = json!({
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": true,
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer_config.json"), settings.to_string()).unwrap();
}

/// The tiny shape with as many ids as the tokenizer has.
fn tiny_config() -> DecoderConfig {
    DecoderConfig { vocab_size: N_IDS, ..Preset::Tiny.config() }
}

/// A model folder without a tokenizer.
fn silent_folder(config: &DecoderConfig) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_random(folder.path(), config, 7).unwrap();
    folder
}

/// A model folder with a tokenizer.
fn folder_of(config: &DecoderConfig) -> TempDir {
    let folder = silent_folder(config);
    write_tokenizer(folder.path(), &tokenizer_json());
    folder
}

/// The tiny model, opened once for all tests.
fn tiny() -> &'static Pipeline {
    static TINY: LazyLock<Pipeline> = LazyLock::new(|| open(PipelineOptions::default()));
    &TINY
}

/// The tiny model, opened with options.
fn open(options: PipelineOptions) -> Pipeline {
    // What is mapped stays there when the folder goes.
    let folder = folder_of(&tiny_config());
    Pipeline::open_with(folder.path(), &options).unwrap()
}

/// The model's own distribution over some words.
fn only(words: &[&str]) -> GenerateOptions {
    GenerateOptions {
        allowed_token_ids: words.iter().map(|word| id(word)).collect(),
        ..GenerateOptions::plain_sampling().with_max_new_tokens(24).with_seed(3)
    }
}

/// The text of words.
fn text_of(ids: &[u32]) -> String {
    tiny().tokenizer().unwrap().decode_skip_special(ids).unwrap()
}

fn try_ask(prompt: impl Into<Prompt>, options: GenerateOptions) -> Result<Generation, ModelError> {
    tiny().complete(&GenerateRequest::new(prompt, options))
}

#[track_caller]
fn ask(prompt: impl Into<Prompt>, options: GenerateOptions) -> Generation {
    try_ask(prompt, options).unwrap()
}

/// What a request says, event by event, and what it returns.
#[track_caller]
fn listen(model: &Pipeline, request: &GenerateRequest) -> (Vec<Event>, Generation) {
    let mut events = Vec::new();
    let generation = model.generate(request, &mut |event| {
        events.push(event);
        ControlFlow::Continue(())
    });
    (events, generation.unwrap())
}

/// As [`listen`], broken off at the first event that `is_enough`.
#[track_caller]
fn listen_until(
    model: &Pipeline,
    request: &GenerateRequest,
    mut is_enough: impl FnMut(&Event) -> bool,
) -> (Vec<Event>, Generation) {
    let mut events = Vec::new();
    let generation = model.generate(request, &mut |event| {
        let is_enough = is_enough(&event);
        events.push(event);
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (events, generation.unwrap())
}

/// Prompts of every kind in both languages.
fn prompts() -> Vec<Prompt> {
    vec![
        Prompt::text("你好，上海。"),
        Prompt::text("hello world"),
        Prompt::Tokens(vec![BOS, id("天气"), id("hello"), 77]),
        Prompt::chat([Message::user("上海天气如何？")]),
        Prompt::chat([Message::system("Be brief."), Message::user("hello")]),
    ]
}
