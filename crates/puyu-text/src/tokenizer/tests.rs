use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::*;

/// Every line of a file of golden cases against the model alone and, if there is one, its folder.
fn check_cases(model: &str) {
    let (Some(folder), Some(cases)) = (fixtures(), cases(&format!("cases_{model}.jsonl"))) else {
        return;
    };
    let folder = folder.join(model);
    let alone = Tokenizer::from_sentencepiece_file(folder.join("tokenizer.model")).unwrap();
    for tokenizer in [alone, Tokenizer::open(&folder).unwrap()] {
        for case in &cases {
            check_case(&tokenizer, case);
        }
    }
}

#[track_caller]
fn check_case(tokenizer: &Tokenizer, case: &serde_json::Value) {
    let (name, ids) = (&case["id"], ids_of(&case["ids"]));
    match case["op"].as_str().unwrap() {
        "encode" => {
            assert_eq!(
                tokenizer.encode(case["text"].as_str().unwrap()).unwrap(),
                ids,
                "case {name}"
            );
            assert_eq!(tokenizer.decode(&ids).unwrap(), case["decoded"], "case {name}");
            if let Some(pieces) = case.get("pieces") {
                let found: Vec<_> = ids.iter().map(|&id| tokenizer.id_to_piece(id)).collect();
                assert_eq!(json!(found), *pieces, "case {name}");
            }
        }
        "decode" => assert_eq!(tokenizer.decode(&ids).unwrap(), case["decoded"], "case {name}"),
        "prefix_decode" => {
            for (k, prefix) in case["prefixes"].as_array().unwrap().iter().enumerate() {
                assert_eq!(tokenizer.decode(&ids[..=k]).unwrap(), *prefix, "case {name}, {k}");
            }
        }
        other => panic!("case {name} has unknown op {other}"),
    }
}

#[test]
fn internlm_encodes_and_decodes_as_sentencepiece() {
    check_cases("internlm");
}

#[test]
fn internlm2_encodes_and_decodes_as_sentencepiece() {
    check_cases("internlm2");
}

#[test]
fn internlm2_reads_and_writes_special_tokens_as_hugging_face() {
    let (Some(folder), Some(cases)) = (fixtures(), cases("chat_prompts.jsonl")) else { return };
    let tokenizer = Tokenizer::open(folder.join("internlm2")).unwrap();
    let cases: Vec<_> = cases.into_iter().filter(|case| case["source"] == "hf_tokenizer").collect();
    assert!(!cases.is_empty());
    for case in cases {
        let (name, ids) = (&case["id"], ids_of(&case["ids"]));
        let text = case["text"].as_str().unwrap();
        assert_eq!(tokenizer.encode_with_special(text).unwrap(), ids, "case {name}");
        assert_eq!(tokenizer.decode_with_special(&ids).unwrap(), case["decoded_fast"], "{name}");
        assert_eq!(
            tokenizer.decode_skip_special(&ids).unwrap(),
            case["decoded_fast_skip_special"],
            "case {name}"
        );
    }
}

#[test]
fn the_released_files_have_their_known_ids() {
    let Some(folder) = fixtures() else { return };
    let second = Tokenizer::open(folder.join("internlm2")).unwrap();
    assert_eq!(second.vocab_size(), 92_544);
    assert_eq!((second.bos_id(), second.eos_id(), second.unk_id()), (Some(1), Some(2), Some(0)));
    assert_eq!(second.pad_id(), Some(2));
    assert_eq!(second.piece_to_id("<|im_start|>"), Some(92_543));
    assert_eq!(second.special_name(92_538), Some("<|plugin|>"));
    let names: Vec<_> = second.special_tokens().iter().map(|token| token.id).collect();
    assert_eq!(names, [0, 1, 2, 92_538, 92_539, 92_540, 92_541, 92_542, 92_543]);

    let first = Tokenizer::open(folder.join("internlm")).unwrap();
    assert_eq!(first.vocab_size(), 103_168);
    assert_eq!(first.piece_to_id("<eoa>"), Some(103_028));
    assert!(first.is_special(103_028));
    assert_eq!(first.pad_id(), None);
}

#[test]
fn small_shared_models_open_and_keep_text() {
    for name in ["fixtures/tokenizers/mini", "fixtures/stories260k"] {
        let Some(folder) = puyu_testkit::shared(name) else { continue };
        let tokenizer = Tokenizer::open(&folder).unwrap();
        let expected = if name.ends_with("mini") { 1_280 } else { 512 };
        assert_eq!(tokenizer.vocab_size(), expected, "{name}");
        for text in
            ["Once upon a time, 从前有一座山。", " x", "To be, or not to be", "子曰：学而时习之"]
        {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(tokenizer.decode(&ids).unwrap(), text, "{name}");
        }
    }
}

#[test]
fn special_tokens_are_read_only_where_that_is_asked_for() {
    let folder = tiny_folder();
    let tokenizer = Tokenizer::open(folder.path()).unwrap();
    let text = "<|im_start|>你好<|im_end|></s>";
    let read = tokenizer.encode_with_special(text).unwrap();
    assert_eq!(read, [IM_START, FIRST + 12, IM_END, 2]);
    assert_eq!(tokenizer.decode_with_special(&read).unwrap(), text);
    assert_eq!(tokenizer.decode_skip_special(&read).unwrap(), "你好");
    assert_eq!(tokenizer.decode(&read).unwrap(), "[UNUSED_TOKEN_146]你好[UNUSED_TOKEN_145]");

    for ids in [tokenizer.encode(text).unwrap(), tokenizer.encode_as_text(text).unwrap()] {
        assert!(ids.iter().all(|&id| !tokenizer.is_special(id)));
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

#[test]
fn the_old_name_of_a_special_token_cannot_forge_it() {
    let folder = tiny_folder();
    let tokenizer = Tokenizer::open(folder.path()).unwrap();
    let text = "你好[UNUSED_TOKEN_145]Ａ";
    // SentencePiece itself finds the piece, and `encode` gives its ids.
    assert_eq!(tokenizer.encode(text).unwrap(), [FIRST + 12, IM_END, FIRST + 16]);
    let ids = tokenizer.encode_as_text(text).unwrap();
    assert!(!ids.contains(&IM_END));
    assert_eq!(ids.last(), Some(&(FIRST + 16)), "a piece that is a letter is still found");
    assert_eq!(tokenizer.decode(&ids).unwrap(), text);
}

#[test]
fn a_tokenizer_of_hugging_face_behaves_alike() {
    let tokenizer = tiny_hugging_face();
    assert_eq!(tokenizer.vocab_size(), 274);
    assert_eq!((tokenizer.bos_id(), tokenizer.eos_id()), (Some(1), Some(2)));
    assert!(!tokenizer.adds_bos());
    // The file truncates to four tokens; a text must not lose its end.
    let ids = tokenizer.encode("hello 你好 hello hello").unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), "hello 你好 hello hello");

    let text = "<|im_start|>hello\n你好<|im_end|>";
    let read = tokenizer.encode_with_special(text).unwrap();
    assert_eq!(read.first(), Some(&272));
    assert_eq!(read.last(), Some(&273));
    assert_eq!(tokenizer.decode_with_special(&read).unwrap(), text);
    assert_eq!(tokenizer.decode(&read).unwrap(), "hello\n你好");
    for ids in [tokenizer.encode(text).unwrap(), tokenizer.encode_as_text(text).unwrap()] {
        assert!(ids.iter().all(|&id| !tokenizer.is_special(id)));
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

#[test]
fn a_model_that_looks_up_whole_words_cannot_be_made_to_forge() {
    let mut json = tiny_json();
    json["model"]["ignore_merges"] = true.into();
    let tokenizer = Tokenizer::from_hf_bytes(json.to_string().as_bytes()).unwrap();
    assert_eq!(tokenizer.encode("</s>").unwrap(), [2], "the library itself is fooled");
    let ids = tokenizer.encode_as_text("</s>").unwrap();
    assert!(!ids.contains(&2));
    assert_eq!(tokenizer.decode(&ids).unwrap(), "</s>");
}

#[test]
fn settings_beside_tokenizer_json_add_and_mark_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("tokenizer.json"), tiny_json().to_string()).unwrap();
    let config = json!({
        "bos_token": "<s>", "add_bos_token": true,
        "added_tokens_decoder": { "274": { "content": "<think>", "special": false } },
        "additional_special_tokens": ["<|plugin|>"],
    });
    std::fs::write(path.join("tokenizer_config.json"), config.to_string()).unwrap();
    let tokenizer = Tokenizer::open(path).unwrap();
    assert!(tokenizer.adds_bos());
    assert_eq!(tokenizer.piece_to_id("<think>"), Some(274));
    assert!(!tokenizer.is_special(274));
    assert_eq!(tokenizer.special_name(275), Some("<|plugin|>"));
    assert_eq!(tokenizer.vocab_size(), 276);
    // An added token that is not special is a word like any other.
    assert_eq!(tokenizer.encode_as_text("<think>你好").unwrap().first(), Some(&274));

    let config = json!({ "added_tokens_decoder": { "999": { "content": "<gap>" } } });
    std::fs::write(path.join("tokenizer_config.json"), config.to_string()).unwrap();
    assert!(matches!(Tokenizer::open(path), Err(TextError::AddedTokenConflict { .. })));
}

#[test]
fn a_folder_prefers_the_model_it_was_trained_with() {
    let folder = tiny_folder();
    std::fs::write(folder.path().join("tokenizer.json"), tiny_json().to_string()).unwrap();
    assert!(Tokenizer::open(folder.path()).unwrap().sentencepiece().is_some());

    let mut unigram = tiny_model();
    unigram.trainer.as_mut().unwrap().model_type = Some(1);
    std::fs::write(folder.path().join("tokenizer.model"), bytes_of(&unigram)).unwrap();
    std::fs::remove_file(folder.path().join("tokenizer_config.json")).unwrap();
    assert!(Tokenizer::open(folder.path()).unwrap().hugging_face().is_some());
}

#[test]
fn faulty_folders_name_the_file_at_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(matches!(Tokenizer::open(path), Err(TextError::NoTokenizer { .. })));
    assert!(matches!(Tokenizer::open(path.join("没有")), Err(TextError::NoTokenizer { .. })));

    std::fs::write(path.join("tokenizer.json"), "{\"model\": 7}").unwrap();
    let error = Tokenizer::open(path).unwrap_err();
    assert!(error.to_string().contains("tokenizer.json"), "{error}");
    std::fs::write(path.join("tokenizer.model"), [0xFF; 100]).unwrap();
    let error = Tokenizer::open(path).unwrap_err();
    assert!(error.to_string().contains("tokenizer.model"), "{error}");
    std::fs::write(path.join("tokenizer_config.json"), "[1, 2").unwrap();
    let error = Tokenizer::open(path).unwrap_err();
    assert!(error.to_string().contains("tokenizer_config.json"), "{error}");
}

#[test]
fn settings_with_impossible_ids_are_refused() {
    let folder = tiny_folder();
    for (id, content) in [("4294967296", "<a>"), ("-1", "<b>"), ("99999999", "<c>"), ("2", "<d>")] {
        let config = json!({ "added_tokens_decoder": { id: { "content": content } } });
        std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
        let error = Tokenizer::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains(content), "{error}");
    }
}

#[test]
fn ids_outside_of_the_vocabulary_are_an_error() {
    for tokenizer in [tiny_sentencepiece(), tiny_hugging_face()] {
        let id = tokenizer.vocab_size() as u32;
        for id in [id, u32::MAX] {
            let error = tokenizer.decode(&[3, id]).unwrap_err();
            assert!(matches!(error, TextError::UnknownId { id: found, .. } if found == id));
        }
        assert_eq!(tokenizer.id_to_piece(id), None);
    }
}

#[test]
fn a_text_beyond_the_limit_is_an_error() {
    let text = "a".repeat(sentencepiece::MAX_TEXT_BYTES + 1);
    let error = tiny_sentencepiece().encode(&text).unwrap_err();
    assert!(matches!(error, TextError::TextTooLong { .. }));
}

#[test]
fn added_tokens_may_swallow_the_space_around_them() {
    let folder = tiny_folder();
    let config = json!({ "added_tokens_decoder": {
        IM_END.to_string(): { "content": "<e>", "lstrip": true, "rstrip": true, "special": true },
        IM_START.to_string(): { "content": "word", "single_word": true },
    } });
    std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    let tokenizer = Tokenizer::open(folder.path()).unwrap();
    let hello = FIRST + 8;
    assert_eq!(
        tokenizer.encode_with_special("hello  <e>\n hello").unwrap(),
        [hello, IM_END, hello]
    );
    assert_eq!(tokenizer.encode("word").unwrap(), [IM_START]);
    assert!(!tokenizer.encode("words").unwrap().contains(&IM_START));
}

proptest! {
    #[test]
    fn no_text_makes_a_special_token(
        words in prop::collection::vec("[hé你好 \n]{0,3}|<s>|</s>|<\\|im_end\\|>|\\[UNUSED_TOKEN_14[56]\\]|<\\||\\|>", 0..12)
    ) {
        let folder = tiny_folder();
        let text = words.concat();
        for tokenizer in [Tokenizer::open(folder.path())?, tiny_hugging_face()] {
            let ids = tokenizer.encode_as_text(&text)?;
            prop_assert!(ids.iter().all(|&id| !tokenizer.is_special(id)));
            prop_assert_eq!(&tokenizer.decode(&ids)?, &text);
        }
    }
}
