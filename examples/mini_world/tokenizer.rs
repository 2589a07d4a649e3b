//! A tokenizer for the mini-world, in InternLM2's style.
//!
//! Byte-pair encoding with byte fallback, spaces written as `▁`, no space put before the text,
//! every digit on its own. No piece spans a space or a line break, so a text cut between turns
//! encodes as it does whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::{OffsetReferential, OffsetType, PreTokenizer, Tokenizer};

use super::error::WorldError;
use super::text::{
    ACTION_END, ACTION_START, BEGIN_OF_TEXT, INTERPRETER, PLUGIN, TURN_END, TURN_START, render,
};
use super::{conversation, merges};

/// The chat tokens, in the order of InternLM2's ids. They end the vocabulary.
pub const SPECIAL_TOKENS: [&str; 6] =
    [PLUGIN, INTERPRETER, ACTION_END, ACTION_START, TURN_END, TURN_START];

/// The ids of these are 0, 1 and 2.
const CONTROL_TOKENS: [&str; 3] = ["<unk>", BEGIN_OF_TEXT, "</s>"];

/// Where pieces may not cross: at line breaks, around digits, before spaces, between scripts.
const WORDS: &str = r"\n|\p{N}|▁?\p{Han}+|▁?[\p{L}&&[^\p{Han}]]+|▁?[^\p{L}\p{N}▁\n]+";

/// Conversations that are read for their characters. Enough to meet every name of the world:
/// the rarest occurs about once in five thousand, so it is missed once in `e^20` seeds.
const ALPHABET_CONVERSATIONS: u64 = 100_000;

/// InternLM2's chat form as a Jinja template, with tools and tool calls.
///
/// `tools` and `tool_calls` are in OpenAI's form; arguments may be an object or its JSON text.
pub const CHAT_TEMPLATE: &str = concat!(
    "{% set block = '' %}",
    "{% if tools %}{% set block = '<|im_start|>system name=<|plugin|>\\n' ",
    "+ (tools | map(attribute='function') | list | tojson) + '<|im_end|>\\n' %}{% endif %}",
    "{{ bos_token }}",
    "{% for message in messages %}",
    "{% if loop.first and message['role'] != 'system' %}{{ block }}{% endif %}",
    "{{ '<|im_start|>' + ('environment' if message['role'] == 'tool' else message['role']) }}",
    "{% if message['name'] in ['<|plugin|>', '<|interpreter|>'] %}",
    "{{ ' name=' + message['name'] }}{% endif %}",
    "{{ '\\n' }}{% if message['content'] %}{{ message['content'] }}{% endif %}",
    "{% if message['tool_calls'] %}{% for call in message['tool_calls'] %}",
    "{{ '<|action_start|><|plugin|>\\n{\"name\": \"' + call['function']['name'] ",
    "+ '\", \"parameters\": ' }}",
    "{% if call['function']['arguments'] is string %}{{ call['function']['arguments'] }}",
    "{% else %}{{ call['function']['arguments'] | tojson }}{% endif %}",
    "{{ '}<|action_end|>' }}{% endfor %}{% endif %}",
    "{{ '<|im_end|>\\n' }}",
    "{% if loop.first and message['role'] == 'system' %}{{ block }}{% endif %}",
    "{% endfor %}",
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
);

/// Learns a vocabulary of `vocab_size` pieces from the first `n_conversations` of world `seed`.
///
/// Every character of the world and of printable ASCII has a piece; other text falls back to
/// bytes. The same arguments give the same tokenizer on every machine.
///
/// # Errors
///
/// [`WorldError::VocabularyTooSmall`] if `vocab_size` cannot hold the bytes, the characters and
/// the special tokens: about 1,300 pieces.
pub fn train_tokenizer(
    seed: u64,
    n_conversations: u64,
    vocab_size: usize,
) -> Result<Tokenizer, WorldError> {
    let alphabet = alphabet(seed);
    let bytes = (0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>"));
    let mut pieces: Vec<String> = CONTROL_TOKENS.map(str::to_owned).to_vec();
    pieces.extend(bytes);
    pieces.extend(alphabet.iter().map(char::to_string));
    let needed = pieces.len() + SPECIAL_TOKENS.len();
    let Some(n_new) = vocab_size.checked_sub(needed) else {
        return Err(WorldError::VocabularyTooSmall { needed, found: vocab_size });
    };

    let without_merges = assemble(&pieces, &[])?;
    let mut words = count_words(&without_merges, seed, n_conversations)?;
    // The square root lets names that are rare but must be told apart compete with the words of
    // tool descriptions, which are many and always the same.
    words.values_mut().for_each(|count| *count = count.isqrt());
    let merges = merges::learn(&words, n_new);
    let mut known: BTreeSet<String> = pieces.iter().cloned().collect();
    for (left, right) in &merges {
        let piece = format!("{left}{right}");
        if known.insert(piece.clone()) {
            pieces.push(piece);
        }
    }
    assemble(&pieces, &merges)
}

/// The characters of the world and of printable ASCII, with the line break and the mark of spaces
/// in place of the space.
fn alphabet(seed: u64) -> BTreeSet<char> {
    let mut alphabet: BTreeSet<char> = ('!'..='~').chain(['\n', '▁']).collect();
    for index in 0..ALPHABET_CONVERSATIONS {
        for turn in conversation(seed, index).turns {
            alphabet.extend(turn.text.chars());
        }
    }
    alphabet.remove(&' ');
    alphabet
}

/// Counts the words of the world between which no piece can stand, as `tokenizer` cuts them.
fn count_words(
    tokenizer: &Tokenizer,
    seed: u64,
    n_conversations: u64,
) -> Result<BTreeMap<String, u64>, WorldError> {
    let added = tokenizer.get_added_vocabulary();
    let mut words: BTreeMap<String, u64> = BTreeMap::new();
    for index in 0..n_conversations {
        let text = render(&conversation(seed, index).turns);
        let mut cut = added.extract_and_normalize(tokenizer.get_normalizer(), &text);
        if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut cut).map_err(WorldError::Tokenizer)?;
        }
        for (word, _, special) in cut.get_splits(OffsetReferential::Original, OffsetType::Byte) {
            if special.is_none() {
                *words.entry(word.to_owned()).or_default() += 1;
            }
        }
    }
    Ok(words)
}

/// Puts pieces, merges and special tokens into the form of a `tokenizer.json`.
fn assemble(pieces: &[String], merges: &[(String, String)]) -> Result<Tokenizer, WorldError> {
    let vocabulary: Map<String, Value> =
        pieces.iter().zip(0..).map(|(piece, id)| (piece.clone(), json!(id))).collect();
    let begin = json!({"SpecialToken": {"id": BEGIN_OF_TEXT, "type_id": 0}});
    let sequence = |name| json!({"Sequence": {"id": name, "type_id": 0}});
    let json = json!({
        "version": "1.0",
        "added_tokens": added_tokens(pieces.len()),
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {
            "type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": false
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, sequence("A")],
            "pair": [begin, sequence("A"), sequence("B")],
            "special_tokens": {
                BEGIN_OF_TEXT: {"id": BEGIN_OF_TEXT, "ids": [1], "tokens": [BEGIN_OF_TEXT]}
            }
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"}
            ]
        },
        "model": {
            "type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
            "vocab": vocabulary, "merges": merges
        }
    });
    json.to_string().parse().map_err(WorldError::Tokenizer)
}

/// The special tokens with their ids, when `n_pieces` pieces come before the chat tokens.
fn added_tokens(n_pieces: usize) -> Vec<Value> {
    let chat = SPECIAL_TOKENS.into_iter().zip(n_pieces..);
    let token = |(content, id): (&str, usize)| {
        json!({
            "id": id, "content": content, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true
        })
    };
    CONTROL_TOKENS.into_iter().zip(0..).chain(chat).map(token).collect()
}

/// Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json` into a folder.
///
/// # Errors
///
/// [`WorldError::Write`] if the folder or a file cannot be written.
pub fn write_tokenizer(tokenizer: &Tokenizer, folder: impl AsRef<Path>) -> Result<(), WorldError> {
    let folder = folder.as_ref();
    std::fs::create_dir_all(folder)
        .map_err(|source| WorldError::Write { path: folder.to_owned(), source })?;
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text + "\n").map_err(|source| WorldError::Write { path, source })
    };
    write("tokenizer.json", tokenizer.to_string(true).map_err(WorldError::Tokenizer)?)?;
    write("tokenizer_config.json", format!("{:#}", config(tokenizer)))?;
    write("special_tokens_map.json", format!("{:#}", special_tokens_map()))
}

/// `tokenizer_config.json`, as Hugging Face's `transformers` reads it.
fn config(tokenizer: &Tokenizer) -> Value {
    let decoder: BTreeMap<_, _> = tokenizer.get_added_tokens_decoder().into_iter().collect();
    let decoder: Map<String, Value> =
        decoder.into_iter().map(|(id, token)| (id.to_string(), json!(token))).collect();
    let mut config = special_tokens_map();
    config["added_tokens_decoder"] = Value::Object(decoder);
    config["chat_template"] = json!(CHAT_TEMPLATE);
    config["clean_up_tokenization_spaces"] = json!(false);
    config["add_bos_token"] = json!(true);
    config["add_eos_token"] = json!(false);
    config["tokenizer_class"] = json!("PreTrainedTokenizerFast");
    config
}

fn special_tokens_map() -> Value {
    let chat: Vec<_> = SPECIAL_TOKENS.into_iter().rev().collect();
    let [unknown, begin, end] = CONTROL_TOKENS;
    json!({
        "additional_special_tokens": chat,
        "bos_token": begin,
        "eos_token": end,
        "pad_token": end,
        "unk_token": unknown
    })
}
