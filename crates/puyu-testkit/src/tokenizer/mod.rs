//! Tokenizers small enough to be written into a test.

use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// Ids 0, 1 and 2, as in every InternLM.
const CONTROL_TOKENS: [&str; 3] = ["<unk>", "<s>", "</s>"];

/// The id of the first piece: before it come `<unk>`, `<s>`, `</s>` and the 256 bytes.
pub const FIRST_PIECE: u32 = 259;

/// A `tokenizer.json` in the style of InternLM2: spaces as `▁`, BPE with byte fallback.
///
/// `pieces` have the ids from [`FIRST_PIECE`] on, and after them come `chat_tokens`, which are
/// special. Each merge names its two pieces with a space between them; what it makes must be a
/// piece too.
///
/// ```
/// use puyu_testkit::{FIRST_PIECE, tokenizer_json};
///
/// let json = tokenizer_json(&["你", "好", "你好"], &["你 好"], &["<|im_end|>"]);
/// assert_eq!(json["model"]["vocab"]["你好"], FIRST_PIECE + 2);
/// assert_eq!(json["added_tokens"][3]["id"], FIRST_PIECE + 3);
/// ```
pub fn tokenizer_json(pieces: &[&str], merges: &[&str], chat_tokens: &[&str]) -> Value {
    let mut names = CONTROL_TOKENS.map(String::from).to_vec();
    names.extend((0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>")));
    names.extend(pieces.iter().copied().map(String::from));
    let chat_tokens = chat_tokens.iter().copied().zip(names.len()..);
    let special = CONTROL_TOKENS.into_iter().zip(0..).chain(chat_tokens).map(special_token);
    let special: Vec<Value> = special.collect();
    let vocabulary: Map<String, Value> =
        names.into_iter().zip(0_u32..).map(|(name, id)| (name, id.into())).collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": special,
        "normalizer": { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
                { "type": "ByteFallback" },
                { "type": "Fuse" },
            ],
        },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>",
            "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary,
            "merges": merges,
        },
    })
}

fn special_token((content, id): (&str, usize)) -> Value {
    json!({
        "id": id, "content": content, "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": true,
    })
}
