use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::error::{PieceProblem, TextError};
use crate::testing::*;
use crate::tokenizer::Tokenizer;

use super::proto::{ModelProto, PieceProto};

#[track_caller]
fn check(model: &ModelProto, text: &str, pieces: &[&str]) {
    let tokenizer = Tokenizer::from_sentencepiece_bytes(&bytes_of(model)).unwrap();
    let ids = tokenizer.encode(text).unwrap();
    let found: Vec<String> = ids.iter().map(|&id| tokenizer.id_to_piece(id).unwrap()).collect();
    assert_eq!(found, pieces, "{text:?}");
}

#[track_caller]
fn check_refused(model: &ModelProto) -> TextError {
    Tokenizer::from_sentencepiece_bytes(&bytes_of(model)).unwrap_err()
}

#[test]
fn the_best_scored_pair_is_merged_first() {
    check(&tiny_model(), "hello", &["hello"]);
    // `ll` goes before `he`, and there is no `hel`.
    check(&tiny_model(), "hell", &["he", "ll"]);
    check(&tiny_model(), "你好你", &["你好", "你"]);
}

#[test]
fn of_equal_scores_the_leftmost_pair_is_merged_first() {
    let a = |text| piece(text, -1.0, NORMAL);
    check(&model(&[a("a"), a("aa")]), "aaaaa", &["aa", "aa", "a"]);
    check(&model(&[a("b"), a("a"), a("ab"), a("ba")]), "aba", &["ab", "a"]);
}

#[test]
fn unknown_characters_are_spelt_in_bytes() {
    check(&tiny_model(), "好é", &["好", "<0xC3>", "<0xA9>"]);
    check(&tiny_model(), "𠀀", &["<0xF0>", "<0xA0>", "<0x80>", "<0x80>"]);
}

#[test]
fn an_unknown_character_is_not_taken_for_another() {
    // `h` has id 260, which is also the number of the character Ą.
    let mut model = tiny_model();
    model.pieces.push(piece("Ą", -10.0, NORMAL));
    check(&model, "Ąh\u{1}h", &["Ą", "h", "<0x01>", "h"]);
    // A pair of unknown characters that together are a piece is found by its text.
    model.pieces.push(piece("xy", -1.0, NORMAL));
    check(&model, "xyxz", &["xy", "<0x78>", "<0x7A>"]);
}

#[test]
fn without_bytes_a_run_of_unknown_characters_is_one_unknown_token() {
    let mut model = tiny_model();
    model.trainer.as_mut().unwrap().byte_fallback = Some(false);
    check(&model, "好xyz好x", &["好", "<unk>", "好", "<unk>"]);
    let tokenizer = Tokenizer::from_sentencepiece_bytes(&bytes_of(&model)).unwrap();
    assert_eq!(tokenizer.decode(&[0]).unwrap(), " ⁇ ");
}

#[test]
fn user_defined_pieces_are_found_first_and_the_longest_wins() {
    let longer = piece("hell", 0.0, USER_DEFINED);
    let longest = piece("hello你", 0.0, USER_DEFINED);
    let mut model = tiny_model();
    model.pieces.extend([longer, longest]);
    check(&model, "hello", &["hell", "o"]);
    check(&model, "hello你好", &["hello你", "好"]);
    check(
        &model,
        "Ａh[UNUSED_TOKEN_145",
        &[
            "Ａ", "h", "<0x5B>", "<0x55>", "<0x4E>", "<0x55>", "<0x53>", "<0x45>", "<0x44>",
            "<0x5F>", "<0x54>", "<0x4F>", "<0x4B>", "<0x45>", "<0x4E>", "<0x5F>", "<0x31>",
            "<0x34>", "<0x35>",
        ],
    );
}

#[test]
fn names_of_control_and_byte_pieces_in_a_text_are_text() {
    let tokenizer = tiny_sentencepiece();
    for text in ["<s>", "</s>", "<unk>", "<0x41>"] {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(ids.len(), text.len(), "{text} is spelt in bytes");
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

#[test]
fn unused_pieces_are_taken_apart_again() {
    let mut model = tiny_model();
    for piece in &mut model.pieces {
        if piece.piece() == "hello" || piece.piece() == "llo" {
            piece.kind = Some(UNUSED);
        }
    }
    check(&model, "hello", &["he", "ll", "o"]);
    check(&model, "你好", &["你好"]);
}

#[test]
fn dummy_prefix_and_extra_spaces_follow_the_normalizer() {
    let mut model = tiny_model();
    let normalizer = model.normalizer.as_mut().unwrap();
    normalizer.add_dummy_prefix = Some(true);
    check(&model, "h", &["▁h"]);
    check(&model, " h", &["▁", "▁h"]);
    check(&model, "", &[]);
    let normalizer = model.normalizer.as_mut().unwrap();
    normalizer.remove_extra_whitespaces = Some(true);
    check(&model, "  h   h ", &["▁h", "▁h"]);
    check(&model, "   ", &[]);

    let tokenizer = Tokenizer::from_sentencepiece_bytes(&bytes_of(&model)).unwrap();
    assert_eq!(tokenizer.decode(&tokenizer.encode("  h   h ").unwrap()).unwrap(), "h h");
}

#[test]
fn models_that_cannot_be_followed_exactly_are_refused() {
    let mut unigram = tiny_model();
    unigram.trainer.as_mut().unwrap().model_type = None;
    assert!(
        matches!(check_refused(&unigram), TextError::Unsupported { found, .. } if found == "unigram")
    );

    let mut mapped = tiny_model();
    let normalizer = mapped.normalizer.as_mut().unwrap();
    normalizer.name = Some("nmt_nfkc".to_owned());
    normalizer.precompiled_charsmap = Some(vec![1, 2, 3]);
    assert!(
        matches!(check_refused(&mapped), TextError::Unsupported { found, .. } if found == "nmt_nfkc")
    );

    let mut suffix = tiny_model();
    suffix.trainer.as_mut().unwrap().treat_whitespace_as_suffix = Some(true);
    assert!(matches!(check_refused(&suffix), TextError::Unsupported { .. }));
}

#[track_caller]
fn check_bad_piece(bad: PieceProto, expected: PieceProblem) {
    let mut model = tiny_model();
    model.pieces.push(bad);
    match check_refused(&model) {
        TextError::BadPiece { problem, .. } => assert_eq!(problem, expected),
        other => panic!("expected a bad piece, found {other}"),
    }
}

#[test]
fn pieces_that_break_the_rules_are_named() {
    check_bad_piece(piece("", 0.0, NORMAL), PieceProblem::Empty);
    check_bad_piece(piece("你好", 0.0, NORMAL), PieceProblem::Duplicate { first: FIRST + 12 });
    check_bad_piece(
        piece("x", f32::INFINITY, NORMAL),
        PieceProblem::Score { found: f32::INFINITY },
    );
    check_bad_piece(piece("x", 0.0, 9), PieceProblem::Type { found: 9 });
    check_bad_piece(piece("x", 0.0, UNKNOWN), PieceProblem::SecondUnknown { first: 0 });
    check_bad_piece(piece("<0xZZ>", 0.0, BYTE), PieceProblem::ByteName);

    let mut without_unknown = tiny_model();
    without_unknown.pieces.remove(0);
    assert!(matches!(check_refused(&without_unknown), TextError::MissingPiece { .. }));
    let mut without_byte = tiny_model();
    without_byte.pieces.remove(3);
    assert!(
        matches!(check_refused(&without_byte), TextError::MissingPiece { what } if what.contains("<0x00>"))
    );
}

#[test]
fn truncated_and_random_bytes_are_refused_without_panic() {
    let bytes = bytes_of(&tiny_model());
    // Every cut either is damaged or has lost the trainer's fields, which come after the pieces.
    for len in 0..bytes.len() {
        if let Ok(tokenizer) = Tokenizer::from_sentencepiece_bytes(&bytes[..len]) {
            tokenizer.encode("hello 你好").unwrap();
            assert!(len > bytes.len() - 30, "a cut at {len} must be noticed");
        }
    }
    assert!(matches!(
        Tokenizer::from_sentencepiece_bytes(b"not a model at all"),
        Err(TextError::DamagedModel(_))
    ));
}

#[test]
fn a_million_pieces_too_many_are_refused_before_they_are_unpacked() {
    let bytes = [0x0A, 0x00].repeat(super::proto::MAX_PIECES + 1);
    let error = Tokenizer::from_sentencepiece_bytes(&bytes).unwrap_err();
    assert!(matches!(error, TextError::ModelTooLarge { what: "pieces", .. }));
}

#[test]
fn a_line_of_a_million_characters_does_not_take_quadratic_time() {
    let a = |n: usize| piece(&"a".repeat(n), -(n as f32), NORMAL);
    let model = model(&[a(1), a(2), a(4), a(8), a(16)]);
    let tokenizer = Tokenizer::from_sentencepiece_bytes(&bytes_of(&model)).unwrap();
    let started = Instant::now();
    let ids = tokenizer.encode(&"a".repeat(1 << 20)).unwrap();
    assert_eq!(ids, vec![FIRST + 4; 1 << 16]);
    // Half a second where this was written; a quadratic method takes an hour.
    assert!(started.elapsed() < Duration::from_secs(60));
}

/// The definition: again and again look at all pairs and merge the best, the leftmost of equals.
fn merge_naively(model: &ModelProto, text: &str) -> Vec<String> {
    let score = |text: &str| {
        let known =
            model.pieces.iter().find(|piece| piece.piece() == text && piece.kind() == NORMAL);
        known.map(|piece| piece.score())
    };
    let mut parts: Vec<String> = text.chars().map(String::from).collect();
    loop {
        let mut best: Option<(f32, usize)> = None;
        for left in 1..parts.len() {
            let Some(score) = score(&[parts[left - 1].as_str(), &parts[left]].concat()) else {
                continue;
            };
            if best.is_none_or(|(best, _)| score > best) {
                best = Some((score, left));
            }
        }
        let Some((_, left)) = best else { return parts };
        let right = parts.remove(left);
        parts[left - 1].push_str(&right);
    }
}

proptest! {
    #[test]
    fn merging_follows_its_definition(
        text in "[abc你]{0,24}",
        pieces in prop::collection::btree_map("[abc你]{1,4}", -3i8..0, 0..40),
    ) {
        // Few scores, so that many are equal.
        let pieces: Vec<_> =
            pieces.iter().map(|(text, &score)| piece(text, f32::from(score), NORMAL)).collect();
        let model = model(&pieces);
        let tokenizer = Tokenizer::from_sentencepiece_bytes(&bytes_of(&model)).unwrap();
        let mut expected = Vec::new();
        for part in merge_naively(&model, &text) {
            match tokenizer.piece_to_id(&part) {
                Some(id) => expected.push(id),
                None => expected.extend(part.bytes().map(|byte| u32::from(byte) + 3)),
            }
        }
        prop_assert_eq!(tokenizer.encode(&text)?, expected);
    }

    #[test]
    fn decoding_any_ids_gives_text_or_an_error(ids in prop::collection::vec(0u32..300, 0..20)) {
        let tokenizer = tiny_sentencepiece();
        let all_known = ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size());
        prop_assert_eq!(tokenizer.decode(&ids).is_ok(), all_known);
    }

    #[test]
    fn encoding_and_decoding_gives_the_text_back(text in any::<String>()) {
        let tokenizer = tiny_sentencepiece();
        // Without a dummy prefix only the mark itself is lost: it is a space from then on.
        let text = text.replace('\u{2581}', "_");
        for ids in [tokenizer.encode(&text)?, tokenizer.encode_as_text(&text)?] {
            prop_assert_eq!(&tokenizer.decode(&ids)?, &text);
        }
    }

    #[test]
    fn cutting_between_characters_that_no_piece_joins_changes_nothing(
        text in "[hel o你好xＡ\n]{0,60}"
    ) {
        // An unused piece that cannot occur switches the cuts off.
        let mut whole = tiny_model();
        whole.pieces.push(piece("\u{1}\u{2}", -20.0, UNUSED));
        let whole = Tokenizer::from_sentencepiece_bytes(&bytes_of(&whole)).unwrap();
        prop_assert_eq!(tiny_sentencepiece().encode(&text)?, whole.encode(&text)?);
    }
}
