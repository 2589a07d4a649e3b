use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::sentencepiece::proto::{ModelProto, PieceProto};
use crate::sentencepiece::{SPACE, SentencePiece};
use crate::testing::*;
use crate::tokenizer::Tokenizer;

/// The released models, which all have tables.
fn released() -> Vec<SentencePiece> {
    let Some(folder) = fixtures() else { return Vec::new() };
    let open = |name: &str| {
        let bytes = std::fs::read(folder.join(name).join("tokenizer.model")).unwrap();
        let model = SentencePiece::from_bytes(&bytes).unwrap();
        assert!(model.tables.is_some(), "{name}");
        model
    };
    ["internlm", "internlm2", "mini"].map(open).into()
}

/// The ids of plain merging and those found with tables, with nothing reserved and, if the text is
/// not too long, with all user-defined pieces reserved.
#[track_caller]
fn check(model: &SentencePiece, text: &str) {
    let user_defined = model.vocabulary().pieces().filter_map(|(id, piece)| {
        (piece.kind == crate::sentencepiece::vocabulary::PieceKind::UserDefined).then_some(id)
    });
    let all_reserved = (text.len() < 1 << 16).then(|| user_defined.collect());
    for reserved in [Some(Vec::new()), all_reserved].into_iter().flatten() {
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        model.encode_into(text, &reserved, &mut found).unwrap();
        model.merge_into(text, &reserved, &mut expected);
        if found != expected {
            let at = found.iter().zip(&expected).take_while(|(left, right)| left == right).count();
            let near = |ids: &[u32]| ids[at.saturating_sub(3)..ids.len().min(at + 5)].to_vec();
            panic!(
                "token {at}: found {:?}, expected {:?}, of {:?}",
                near(&found),
                near(&expected),
                text.chars().take(80).collect::<String>()
            );
        }
    }
}

fn texts_in(folder: &Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts_in(&path, texts);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            texts.push(text);
        }
    }
}

#[test]
fn the_shared_texts_have_the_ids_of_plain_merging() {
    let mut texts = Vec::new();
    for name in ["corpus/text", "corpus/wanjuan", "fixtures/text"] {
        let Some(folder) = puyu_testkit::shared(name) else { continue };
        texts_in(&folder, &mut texts);
    }
    for model in released() {
        for text in &texts {
            check(&model, text);
        }
    }
}

#[test]
fn all_pieces_and_their_neighbours_in_the_file_have_the_ids_of_plain_merging() {
    for model in released() {
        let pieces: Vec<&str> =
            model.vocabulary().pieces().map(|(_, piece)| &*piece.text).collect();
        let mut text = String::new();
        for pieces in pieces.chunks(2_000) {
            text.clear();
            text.extend(pieces.iter().copied());
            check(&model, &text);
            check(&model, &pieces.join(" "));
            check(&model, &pieces.join("\u{1}"));
        }
    }
}

#[test]
fn a_piece_alone_is_found_as_a_whole_where_plain_merging_makes_it() {
    for model in released() {
        for (_, piece) in model.vocabulary().pieces() {
            let (mut found, mut expected) = (Vec::new(), Vec::new());
            model.encode_into(&piece.text, &[], &mut found).unwrap();
            model.merge_into(&piece.text.replace(SPACE, " "), &[], &mut expected);
            assert_eq!(found, expected, "{:?}", piece.text);
        }
    }
}

#[test]
fn long_runs_have_the_ids_of_plain_merging() {
    for model in released() {
        for part in
            ["a", " ", "的", "é", "\u{1}", "𠀀", "-", "=", "ab", "哈", "0", "\n ", "Ａ", "▁"]
        {
            for n in [1, 2, 7, 15, 16, 17, 39, 40, 41, 42, 100, 1_000, 100_000] {
                check(&model, &part.repeat(n));
            }
        }
    }
}

/// Numbers that look random and are the same in every run.
fn numbers(seed: u64) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(seed), |state| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    })
    .map(|state| (state >> 33) as u32)
}

#[test]
fn a_megabyte_of_anything_does_not_take_quadratic_time() {
    let Some(model) = released().into_iter().nth(1) else { return };
    let chinese = |number: u32| char::from_u32(0x4E00 + number % 0x51A6).unwrap();
    let letter = |number: u32| char::from(b"abcdefghijklmnopqrstuvwxyz"[number as usize % 26]);
    let texts = [
        "a".repeat(1 << 20),
        "ab".repeat(1 << 19),
        " ".repeat(1 << 20),
        "的".repeat(350_000),
        numbers(7).map(chinese).take(350_000).collect(),
        numbers(8).map(letter).take(1 << 20).collect(),
        numbers(9).filter_map(char::from_u32).take(260_000).collect(),
    ];
    for text in texts {
        let (started, mut ids) = (Instant::now(), Vec::new());
        model.encode_into(&text, &[], &mut ids).unwrap();
        let taken = started.elapsed();
        // Up to four tenths of a second on a busy machine; a quadratic method takes an hour.
        assert!(taken < Duration::from_secs(20), "{taken:?}: {:?}", text.chars().next());
        check(&model, &text);
    }
}

#[test]
fn threads_that_share_a_tokenizer_find_the_same_ids() {
    let tokenizer = tiny_sentencepiece();
    let text = "hello 你好hell\nＡ ".repeat(500);
    let expected = tokenizer.encode(&text).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(tokenizer.encode(&text).unwrap(), expected));
        }
    });
}

#[test]
fn encode_into_appends() {
    let tokenizer = tiny_sentencepiece();
    let mut ids = vec![7];
    tokenizer.encode_into("hello", &mut ids).unwrap();
    tokenizer.encode_into("", &mut ids).unwrap();
    tokenizer.encode_into("你好", &mut ids).unwrap();
    assert_eq!(ids, [7, FIRST + 8, FIRST + 12]);

    let mut ids = vec![7];
    tiny_hugging_face().encode_into("hello", &mut ids).unwrap();
    assert_eq!(ids, [7, 270]);
}

/// A model whose characters all are pieces, with `longer` pieces and user-defined ones.
fn model_of(
    longer: &HashMap<String, i8>,
    user_defined: &[String],
    (adds_dummy_prefix, removes_spaces, has_bytes): (bool, bool, bool),
) -> ModelProto {
    let mut pieces: Vec<PieceProto> = ["a", "b", "c", "你", "好", "\0", "▁"]
        .iter()
        .filter(|character| !user_defined.contains(&(**character).to_owned()))
        .map(|character| piece(character, -50.0, NORMAL))
        .collect();
    let longer = longer.iter().filter(|(text, _)| !user_defined.contains(text));
    pieces.extend(longer.map(|(text, &score)| piece(text, score.into(), NORMAL)));
    pieces.extend(user_defined.iter().map(|text| piece(text, 0.0, USER_DEFINED)));
    let mut model = model(&pieces);
    let normalizer = model.normalizer.as_mut().unwrap();
    normalizer.add_dummy_prefix = Some(adds_dummy_prefix);
    normalizer.remove_extra_whitespaces = Some(removes_spaces);
    model.trainer.as_mut().unwrap().byte_fallback = Some(has_bytes);
    model
}

/// The definition: cut user-defined pieces out, the longest first; of the rest again and again
/// merge the best pair, the leftmost of equals; spell what is unknown.
fn define(model: &ModelProto, text: &str) -> Vec<u32> {
    let by_text: HashMap<&str, (u32, &PieceProto)> =
        (0..).zip(&model.pieces).map(|(id, piece)| (piece.piece(), (id, piece))).collect();
    let of_kind = |text: &str, kind: i32| {
        by_text.get(text).copied().filter(|(_, piece)| piece.kind() == kind)
    };
    let (mut ids, mut symbols, mut at) = (Vec::new(), Vec::<String>::new(), 0);
    let mut after_unknown = false;
    let end_run = |symbols: &mut Vec<String>, ids: &mut Vec<u32>, after: &mut bool| {
        loop {
            let joined = symbols.windows(2).map(|pair| of_kind(&pair.concat(), NORMAL));
            let joined =
                joined.enumerate().filter_map(|(at, joined)| Some((at, joined?.1.score())));
            let best = joined.reduce(|best, next| if next.1 > best.1 { next } else { best });
            let Some((at, _)) = best else { break };
            let right = symbols.remove(at + 1);
            symbols[at].push_str(&right);
        }
        for symbol in symbols.drain(..) {
            match of_kind(&symbol, NORMAL) {
                Some((id, _)) => ids.push(id),
                None if model.trainer.as_ref().unwrap().byte_fallback() => {
                    ids.extend(symbol.bytes().map(|byte| u32::from(byte) + 3));
                }
                None if *after => {}
                None => ids.push(0),
            }
            *after = of_kind(&symbol, NORMAL).is_none();
        }
    };
    while at < text.len() {
        let found = (at + 1..=text.len())
            .rev()
            .filter(|&end| text.is_char_boundary(end))
            .find_map(|end| Some((end, of_kind(&text[at..end], USER_DEFINED)?.0)));
        if let Some((end, id)) = found {
            end_run(&mut symbols, &mut ids, &mut after_unknown);
            ids.push(id);
            after_unknown = false;
            at = end;
            continue;
        }
        let character = text[at..].chars().next().unwrap();
        symbols.push(character.into());
        at += character.len_utf8();
    }
    end_run(&mut symbols, &mut ids, &mut after_unknown);
    ids
}

/// What the normalizer does, by the shortest rules.
fn normalize(text: &str, (adds_dummy_prefix, removes_spaces): (bool, bool)) -> String {
    let mut text = text.to_owned();
    if removes_spaces {
        text = text.trim_matches(' ').to_owned();
        while text.contains("  ") {
            text = text.replace("  ", " ");
        }
    }
    if adds_dummy_prefix && !text.is_empty() {
        text.insert(0, ' ');
    }
    text = text.replace(' ', "▁");
    if removes_spaces { text.trim_end_matches('▁').to_owned() } else { text }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn ids_follow_the_definition(
        text in "[abc你好 ▁xé\0]{0,60}",
        longer in prop::collection::hash_map("[abc你好▁\0]{2,6}", -20i8..0, 0..60),
        user_defined in prop::collection::hash_set("[abc你▁]{1,3}", 0..3),
        adds_dummy_prefix: bool,
        removes_spaces: bool,
        has_bytes: bool,
    ) {
        let user_defined: Vec<String> = user_defined.into_iter().collect();
        let options = (adds_dummy_prefix, removes_spaces, has_bytes);
        let proto = model_of(&longer, &user_defined, options);
        let tokenizer = Tokenizer::from_sentencepiece_bytes(&bytes_of(&proto)).unwrap();
        let normalized = normalize(&text, (adds_dummy_prefix, removes_spaces));
        prop_assert_eq!(tokenizer.encode(&text).unwrap(), define(&proto, &normalized));
    }

    #[test]
    fn long_words_follow_plain_merging(
        text in "[abc]{0,400}",
        longer in prop::collection::hash_map("[abc]{2,6}", -20i8..0, 0..60),
    ) {
        let proto = model_of(&longer, &[], (false, false, true));
        let model = SentencePiece::from_bytes(&bytes_of(&proto)).unwrap();
        prop_assert!(model.tables.is_some());
        check(&model, &text);
    }
}

#[test]
fn strange_texts_have_the_ids_of_plain_merging() {
    let parts = [
        "the",
        " the",
        " of",
        "你好",
        "中国",
        "的",
        "，",
        "。",
        "\n",
        "\n\n",
        " ",
        "  ",
        "▁",
        "▁▁",
        "\t",
        "\r\n",
        "\0",
        "\u{1}",
        "\u{7F}",
        "é",
        "ñ",
        "🦀",
        "👩‍👩‍👧",
        "𠀀",
        "\u{FEFF}",
        "\u{FFFD}",
        "Ａ",
        "Ｅ",
        "１",
        "<s>",
        "</s>",
        "<unk>",
        "<0x41>",
        "<|im_end|>",
        "<eoa>",
        "<eoh>",
        "[UNUSED_TOKEN_145]",
        "[UNUSED_TOKEN_",
        "<TOKENS_UNUSED_2>",
        "<TOKENS",
        "http://",
        "1234567890",
        "AbCdEf",
        "==",
        "------",
        "ไทย",
        "한국어",
        "русский",
        "עברית",
        "a",
        "x",
        "Z",
        "internationalization",
    ];
    for model in released() {
        for round in 0..300 {
            let numbers = numbers(round).take(40);
            let text: String = numbers.map(|number| parts[number as usize % parts.len()]).collect();
            check(&model, &text);
        }
    }
}
