use proptest::prelude::*;

use super::*;
use crate::testing::*;

const RULES: [SpecialTokens; 3] =
    [SpecialTokens::AsModel, SpecialTokens::Write, SpecialTokens::Skip];

#[track_caller]
fn stream(tokenizer: &Tokenizer, ids: &[u32], special: SpecialTokens) -> Vec<String> {
    let mut stream = tokenizer.decode_stream(special);
    let mut parts: Vec<String> = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
    parts.push(stream.flush().unwrap());
    parts
}

#[track_caller]
fn check(tokenizer: &Tokenizer, ids: &[u32]) {
    for special in RULES {
        let whole = tokenizer.decode_as(ids, special).unwrap();
        assert_eq!(stream(tokenizer, ids, special).concat(), whole, "{ids:?}, {special:?}");
    }
}

#[test]
fn a_character_comes_out_whole_with_its_last_byte() {
    // 😀 is F0 9F 98 80; byte pieces start at id 3.
    let ids = [0xF0 + 3, 0x9F + 3, 0x98 + 3, 0x80 + 3, FIRST + 12];
    let parts = stream(&tiny_sentencepiece(), &ids, SpecialTokens::Skip);
    assert_eq!(parts, ["", "", "", "😀", "你好", ""]);
}

#[test]
fn invalid_bytes_become_one_mark_each_after_the_longest_valid_start() {
    let tokenizer = tiny_sentencepiece();
    let byte_ids = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte) + 3).collect::<Vec<_>>();
    for (bytes, text) in [
        (&[0xE4, 0xBD, 0xA0, 0xFF][..], "你\u{FFFD}"),
        (&[0xE4, 0xBD], "\u{FFFD}\u{FFFD}"),
        (&[0xE4, 0xBD, b'A'], "\u{FFFD}\u{FFFD}A"),
        (&[0xF0, 0x9F, 0xE4, 0xBD, 0xA0], "\u{FFFD}\u{FFFD}你"),
        (&[0xC0, 0x80], "\u{FFFD}\u{FFFD}"),
        (&[0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
    ] {
        let ids = byte_ids(bytes);
        assert_eq!(tokenizer.decode(&ids).unwrap(), text, "{bytes:x?}");
        check(&tokenizer, &ids);
    }
}

#[test]
fn a_special_token_ends_an_unfinished_character() {
    let folder = tiny_folder();
    let tokenizer = Tokenizer::open(folder.path()).unwrap();
    let ids = [0xE4 + 3, IM_END, 0xBD + 3, 2];
    assert_eq!(tokenizer.decode_skip_special(&ids).unwrap(), "\u{FFFD}\u{FFFD}");
    assert_eq!(tokenizer.decode_with_special(&ids).unwrap(), "\u{FFFD}<|im_end|>\u{FFFD}</s>");
    check(&tokenizer, &ids);
}

#[test]
fn a_stream_starts_anew_after_a_flush() {
    let mut model = tiny_model();
    model.normalizer.as_mut().unwrap().add_dummy_prefix = Some(true);
    let tokenizer = Tokenizer::from_sentencepiece_bytes(&bytes_of(&model)).unwrap();
    let ids = tokenizer.encode("hello").unwrap();
    let mut stream = tokenizer.decode_stream(SpecialTokens::Skip);
    for _ in 0..2 {
        let mut text = String::new();
        for &id in &ids {
            text += &stream.push(id).unwrap();
        }
        assert_eq!(text + &stream.flush().unwrap(), "hello");
    }
}

#[test]
fn an_unknown_id_is_an_error_and_the_stream_goes_on() {
    for tokenizer in [tiny_sentencepiece(), tiny_hugging_face()] {
        let id = tokenizer.vocab_size() as u32;
        let mut stream = tokenizer.decode_stream(SpecialTokens::Skip);
        assert!(matches!(stream.push(id), Err(TextError::UnknownId { .. })));
        let ids = tokenizer.encode("好").unwrap();
        let text: String = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
        assert_eq!(text + &stream.flush().unwrap(), "好");
    }
}

#[test]
fn golden_ids_stream_to_their_golden_text() {
    for model in ["internlm", "internlm2"] {
        let (Some(folder), Some(cases)) = (fixtures(), cases(&format!("cases_{model}.jsonl")))
        else {
            return;
        };
        let tokenizer = Tokenizer::open(folder.join(model)).unwrap();
        for case in cases {
            let ids = ids_of(&case["ids"]);
            let expected = match case["op"].as_str() {
                Some("prefix_decode") => &case["text"],
                _ => &case["decoded"],
            };
            let parts = stream(&tokenizer, &ids, SpecialTokens::AsModel);
            assert_eq!(parts.concat(), *expected, "case {}", case["id"]);
            check(&tokenizer, &ids);
        }
    }
}

proptest! {
    #[test]
    fn any_stream_is_the_whole_decode(picks in prop::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        let folder = tiny_folder();
        for tokenizer in [Tokenizer::open(folder.path())?, tiny_hugging_face()] {
            let ids: Vec<u32> =
                picks.iter().map(|pick| pick.index(tokenizer.vocab_size()) as u32).collect();
            check(&tokenizer, &ids);
        }
    }

    #[test]
    fn any_bytes_stream_to_the_whole_decode(bytes in prop::collection::vec(0x70u8.., 0..24)) {
        let ids: Vec<u32> = bytes.iter().map(|&byte| u32::from(byte) + 3).collect();
        for tokenizer in [tiny_sentencepiece(), tiny_hugging_face()] {
            check(&tokenizer, &ids);
        }
    }
}
