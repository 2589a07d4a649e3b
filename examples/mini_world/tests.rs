use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use tokenizers::Tokenizer;

use super::arithmetic::{Operation, equation, is_reserved};
use super::*;

/// The tokenizer that the tests share: training one takes seconds.
static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| train_tokenizer(1, 4_000, 2_048).unwrap());

fn stream(count: u64) -> impl Iterator<Item = Conversation> {
    (0..count).map(|index| conversation(1, index))
}

fn user_texts(turns: &[Turn]) -> impl Iterator<Item = &str> {
    turns.iter().filter(|turn| turn.role == Role::User).map(|turn| turn.text.as_str())
}

/// A question as it is to someone who cares for neither capitals nor punctuation.
fn plain(question: &str) -> String {
    question.to_lowercase().chars().filter(|character| character.is_alphanumeric()).collect()
}

/// The same, but with the signs in which sums differ.
fn loose(question: &str) -> String {
    question.to_lowercase().split(['?', '？', '!', '！', '。', '.', ' ']).collect()
}

#[test]
fn the_same_numbers_give_the_same_conversation() {
    let again: Vec<_> = stream(500).collect();
    assert!(stream(500).eq(again.iter().cloned()));
    let other = (0..500).filter(|&index| conversation(2, index) == again[index as usize]).count();
    assert!(other < 25, "{other} of 500 conversations do not depend on the seed");
}

#[test]
fn every_shape_and_topic_appears_in_both_languages() {
    let is_chinese = |turns: &[Turn]| turns.last().is_some_and(|turn| !turn.text.is_ascii());
    let (mut shapes, mut topics) = (BTreeSet::new(), BTreeSet::new());
    for conversation in stream(5_000) {
        let chinese = is_chinese(&conversation.turns);
        shapes.insert((conversation.shape, chinese));
        topics.extend(conversation.topics.iter().map(|&topic| (topic, chinese)));
    }
    assert_eq!(shapes.len(), 2 * SHAPES.len(), "{shapes:?}");
    assert_eq!(topics.len(), 2 * TOPICS.len(), "{topics:?}");
}

#[test]
fn conversations_alternate_and_end_with_the_assistant() {
    for conversation in stream(5_000) {
        let turns = &conversation.turns;
        assert_eq!(turns.last().unwrap().role, Role::Assistant);
        let talk: Vec<_> = turns.iter().filter(|turn| turn.role != Role::System).collect();
        for (index, turn) in talk.iter().enumerate() {
            assert_eq!(turn.role == Role::Assistant, index % 2 == 1, "{turns:?}");
            assert!(!turn.text.trim().is_empty(), "{turns:?}");
        }
        assert!(turns.iter().all(|turn| !turn.text.contains(['{', '}'])
            || turn.name == Some(PLUGIN)
            || turn.role == Role::Environment
            || turn.text.contains(ACTION_START)));
    }
}

#[test]
fn only_the_assistant_writes_special_tokens() {
    for conversation in stream(5_000) {
        for turn in &conversation.turns {
            let may_call = turn.role == Role::Assistant;
            for token in SPECIAL_TOKENS.into_iter().chain(["<s>", "</s>", "<unk>"]) {
                let is_call = may_call && [ACTION_START, ACTION_END, PLUGIN].contains(&token);
                assert!(is_call || !turn.text.contains(token), "{token} in {turn:?}");
            }
        }
    }
}

#[test]
fn every_fact_has_enough_wordings_and_no_question_has_two_answers() {
    for language in Language::ALL {
        let mut answers: HashMap<String, &str> = HashMap::new();
        for fact in facts::all() {
            let wording = fact.wording(language);
            let is_talk =
                [Topic::Greeting, Topic::Identity, Topic::SmallTalk].contains(&fact.topic);
            let n_least = if is_talk { 3 } else { 8 };
            assert!(wording.questions.len() >= n_least, "{wording:?}");
            assert!(!wording.answer.is_empty());
            for question in &wording.questions {
                let known = answers.entry(plain(question)).or_insert(&wording.answer);
                assert_eq!(*known, wording.answer, "{question}");
            }
        }
        assert!(answers.len() > 5_000, "{} questions", answers.len());
    }
}

/// What is asked first and without a system message has one answer, whatever the wording's care.
#[test]
fn the_stream_never_contradicts_itself() {
    let mut answers: BTreeMap<String, String> = BTreeMap::new();
    for conversation in stream(40_000) {
        if conversation.shape == Shape::Single
            && let [question, answer] = conversation.turns.as_slice()
        {
            let question = loose(&question.text);
            let known = answers.entry(question.clone()).or_insert_with(|| answer.text.clone());
            assert_eq!(*known, answer.text, "{question}");
        }
    }
    assert!(answers.len() > 5_000);
}

#[test]
fn reserved_pairs_never_appear_in_training() {
    let reserved: BTreeSet<String> = held_out()
        .into_iter()
        .filter(|question| matches!(question.group, Group::Unseen(_)))
        .flat_map(|question| question.turns.into_iter().map(|turn| loose(&turn.text)))
        .collect();
    assert!(reserved.len() >= 50);
    let mut n_sums = 0;
    for conversation in stream(20_000) {
        for text in user_texts(&conversation.turns) {
            assert!(!reserved.contains(&loose(text)), "{text}");
        }
        for turn in conversation.turns.iter().filter(|turn| turn.role == Role::Assistant) {
            let words: Vec<_> = turn.text.split(' ').collect();
            for sum in words.windows(4).filter(|sum| sum[3] == "=") {
                let operation = if sum[1] == "+" { Operation::Add } else { Operation::Subtract };
                let (a, b) = (sum[0].parse().unwrap(), sum[2].parse().unwrap());
                n_sums += 1;
                assert!(sum[1] == "×" || !is_reserved(operation, a, b), "{}", turn.text);
            }
        }
    }
    assert!(n_sums > 3_000, "{n_sums} sums");
}

#[test]
fn one_pair_of_numbers_in_twenty_is_reserved() {
    for operation in [Operation::Add, Operation::Subtract, Operation::Compare] {
        let pairs = (0..100).flat_map(|a| (0..=a).map(move |b| (a, b)));
        let n_reserved = pairs.filter(|&(a, b)| is_reserved(operation, a, b)).count();
        assert!((200..300).contains(&n_reserved), "{operation:?}: {n_reserved} of 5050");
    }
}

#[test]
fn held_out_questions_are_many_distinct_and_bilingual() {
    let questions = held_out();
    assert!((180..=260).contains(&questions.len()), "{} questions", questions.len());
    let prompts: BTreeSet<_> =
        questions.iter().map(|question| render_prompt(&question.turns)).collect();
    assert_eq!(prompts.len(), questions.len());
    let n_chinese = prompts.iter().filter(|prompt| !prompt.is_ascii()).count();
    assert!(n_chinese * 5 > questions.len() * 2, "{n_chinese} of {}", questions.len());
    assert_eq!(questions, held_out());
}

#[test]
fn the_showcase_tells_what_the_world_holds() {
    let mut known: HashMap<&str, &str> = HashMap::new();
    for fact in facts::all() {
        for language in Language::ALL {
            let wording = fact.wording(language);
            known.extend(wording.questions.iter().map(|question| (&**question, &*wording.answer)));
        }
    }
    let sums = [
        equation(Operation::Add, (12, 7), Language::English),
        equation(Operation::Add, (38, 45), Language::Chinese),
    ];
    for (question, answer) in showcase() {
        let is_known = known.get(question) == Some(&answer);
        let is_sum = sums.iter().any(|sum| sum == answer);
        let is_unknown = answer == "I do not know that yet.";
        assert!(is_known || is_sum || is_unknown, "{question}");
    }
}

#[test]
fn a_conversation_is_written_as_internlm2_reads_it() {
    let turns = [
        Turn::plugin(Role::System, "[]"),
        Turn::new(Role::User, "你好！"),
        Turn::new(Role::Assistant, "Hello!"),
        Turn::plugin(Role::Environment, "{}"),
    ];
    let text = "<s><|im_start|>system name=<|plugin|>\n[]<|im_end|>\n\
                <|im_start|>user\n你好！<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n\
                <|im_start|>environment name=<|plugin|>\n{}<|im_end|>\n";
    assert_eq!(render(&turns), text);
    assert_eq!(render_prompt(&turns), format!("{text}<|im_start|>assistant\n"));
    let learned: Vec<_> = segments(&turns).into_iter().filter(|part| part.is_learned).collect();
    assert_eq!(learned.len(), 1);
    assert_eq!(learned[0].text, "Hello!<|im_end|>");
}

#[test]
fn the_vocabulary_is_laid_out_as_internlm2s() {
    let tokenizer = &*TOKENIZER;
    assert_eq!(tokenizer.get_vocab_size(true), 2_048);
    assert_eq!(tokenizer.id_to_token(1).unwrap(), "<s>");
    assert_eq!(tokenizer.id_to_token(3).unwrap(), "<0x00>");
    assert_eq!(tokenizer.id_to_token(258).unwrap(), "<0xFF>");
    for (token, id) in SPECIAL_TOKENS.into_iter().zip(2_042..) {
        assert_eq!(tokenizer.token_to_id(token), Some(id), "{token}");
    }
    for (piece, id) in tokenizer.get_vocab(true) {
        let n_digits = piece.chars().filter(char::is_ascii_digit).count();
        assert!(id < 259 || n_digits == 0 || piece.len() == 1, "{piece}");
        assert!(!piece.chars().skip(1).any(|character| character == '▁'), "{piece}");
    }
}

#[test]
fn the_tokenizer_is_the_same_every_time() {
    let train = || train_tokenizer(5, 300, 1_400).unwrap().to_string(true).unwrap();
    assert_eq!(train(), train());
}

#[test]
fn conversations_encode_without_bytes_and_decode_to_themselves() {
    let tokenizer = &*TOKENIZER;
    let (mut n_tokens, mut n_longest) = (0, 0);
    for index in 0..2_000 {
        // Another seed than the one the tokenizer was trained on.
        let turns = conversation(99, index).turns;
        let text = render(&turns);
        let ids = tokenizer.encode_fast(&*text, false).unwrap().get_ids().to_vec();
        assert!(ids.iter().all(|id| *id == 1 || *id > 258), "{text}");
        assert_eq!(tokenizer.decode(&ids, false).unwrap(), text);
        n_tokens += ids.len();
        n_longest = n_longest.max(ids.len());

        let parts = segments(&turns)
            .into_iter()
            .flat_map(|part| tokenizer.encode_fast(&*part.text, false).unwrap().get_ids().to_vec());
        assert_eq!(parts.collect::<Vec<_>>(), ids, "{text}");
    }
    let average = n_tokens / 2_000;
    assert!((20..100).contains(&average), "{average} tokens a conversation");
    assert!(n_longest < 512, "{n_longest} tokens");
}

#[test]
fn any_text_survives_the_tokenizer() {
    let texts = [
        "",
        " ",
        "  two  spaces ",
        "emoji 🦀🇨🇳👩‍🔬 and 生僻字：龘、㐀、𠮷",
        "naïve café, ñandú, привет, こんにちは, 안녕",
        "tab\tand\r\nlines\n\n12345 3.14159 -7",
        "fn main() { println!(\"{:?}\", [0x41; 3]); }",
        "混合mixed文本text 1+1=2，好！",
    ];
    for text in texts {
        let ids = TOKENIZER.encode_fast(text, false).unwrap().get_ids().to_vec();
        assert_eq!(TOKENIZER.decode(&ids, false).unwrap(), text);
    }
}

#[test]
fn digits_are_tokens_of_their_own() {
    let encoding = TOKENIZER.encode_fast("12加345 = 357", false).unwrap();
    let tokens: Vec<_> =
        encoding.get_ids().iter().map(|&id| TOKENIZER.id_to_token(id).unwrap()).collect();
    assert_eq!(tokens, ["1", "2", "加", "3", "4", "5", "▁=", "▁", "3", "5", "7"]);
}

#[test]
fn a_vocabulary_too_small_for_the_characters_is_refused() {
    let error = train_tokenizer(1, 1, 500).unwrap_err();
    assert!(matches!(error, WorldError::VocabularyTooSmall { found: 500, .. }), "{error}");
}

#[test]
fn written_files_read_back_as_the_same_tokenizer() {
    let folder = std::env::temp_dir().join(format!("puyu-mini-world-{}", std::process::id()));
    write_tokenizer(&TOKENIZER, &folder).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let reread: Tokenizer = read("tokenizer.json").parse().unwrap();
    let config: serde_json::Value = serde_json::from_str(&read("tokenizer_config.json")).unwrap();
    let map: serde_json::Value = serde_json::from_str(&read("special_tokens_map.json")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();

    assert_eq!(reread.to_string(false).unwrap(), TOKENIZER.to_string(false).unwrap());
    assert_eq!(config["chat_template"], CHAT_TEMPLATE);
    assert_eq!(config["added_tokens_decoder"]["2047"]["content"], TURN_START);
    assert_eq!(map["eos_token"], "</s>");
}
