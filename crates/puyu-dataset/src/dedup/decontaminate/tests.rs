//! Benchmark items in web text and none in classical text.

use std::path::Path;

use puyu_testkit::shared;

use super::*;

type Item = (String, String, String);

/// The first field of each row of a CSV file (a question), without its options.
fn csv_questions(path: &Path, skip_rows: usize, column: usize) -> Vec<Item> {
    let text = std::fs::read_to_string(path).unwrap();
    let set = path.file_stem().unwrap().to_string_lossy().into_owned();
    let rows = csv_rows(&text).into_iter().enumerate().skip(skip_rows);
    rows.filter(|(_, row)| row.len() > column)
        .map(|(i, mut row)| (set.clone(), i.to_string(), row.swap_remove(column)))
        .collect()
}

/// RFC 4180: fields in quotes may hold commas, line ends and doubled quotes.
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            other => field.push(other),
        }
    }
    if !row.is_empty() || !field.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows
}

fn exam_items() -> Option<Vec<Item>> {
    let folder = shared("benchmarks/exam")?;
    let mut items = Vec::new();
    for name in ["agronomy", "chinese_history", "elementary_mathematics", "logical"] {
        items.extend(csv_questions(&folder.join(format!("cmmlu/test/{name}.csv")), 1, 1));
    }
    for name in ["abstract_algebra", "anatomy", "high_school_chemistry", "philosophy"] {
        items.extend(csv_questions(&folder.join(format!("mmlu/test/{name}_test.csv")), 0, 0));
    }
    Some(items)
}

fn book(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(shared(path)?).unwrap())
}

/// Web-like documents: slices of a book.
fn slices(text: &str, chars: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(chars).map(|chunk| chunk.iter().collect()).collect()
}

#[test]
fn every_planted_exam_question_is_found_where_it_was_planted() {
    let (Some(items), Some(zh), Some(en)) = (
        exam_items(),
        book("corpus/text/zh/hongloumeng.txt"),
        book("corpus/text/en/wikipedia_demo.txt"),
    ) else {
        return;
    };
    let index = Decontaminator::new(items.clone(), &DecontaminateOptions::default()).unwrap();
    let skipped: HashSet<_> = index.skipped().iter().cloned().collect();
    let hosts: Vec<String> = slices(&zh, 500).into_iter().chain(slices(&en, 900)).collect();
    let searched =
        items.iter().filter(|(set, id, _)| !skipped.contains(&(set.clone(), id.clone())));
    let mut planted = [0, 0];
    for (i, (set, id, question)) in searched.enumerate() {
        let host = &hosts[i * 7 % hosts.len()];
        let cut = host.char_indices().nth(100).map_or(0, |(at, _)| at);
        // Web text changes case and blanks.
        let changed = question.to_uppercase().replace(' ', "\n  ");
        let text = format!("{}。{changed}。{}", &host[..cut], &host[cut..]);
        let found = index.check(&text);
        let overlap = found.iter().find(|overlap| overlap.set == set && overlap.id == id);
        let overlap = overlap.unwrap_or_else(|| panic!("{set} {id} was not found: {question}"));
        assert_eq!(overlap.share, 1.0, "{set} {id}");
        let (start, end) = (cut, cut + changed.len() + 6);
        assert!(overlap.spans.iter().any(|span| span.start >= start && span.end <= end));
        planted[usize::from(question.is_ascii())] += 1;
    }
    println!("planted zh {} en {}, too short {}", planted[0], planted[1], skipped.len());
    // 845 Chinese and 383 English questions, of which some are too short to tell.
    assert_eq!(items.len(), 845 + 383);
    assert!(planted[0] > 800 && planted[1] > 300, "{planted:?}");
}

#[test]
fn clean_books_have_no_overlap() {
    let (Some(items), Some(zh), Some(en)) = (
        exam_items(),
        book("corpus/text/zh/hongloumeng.txt"),
        book("corpus/text/en/alice_in_wonderland.txt"),
    ) else {
        return;
    };
    let index = Decontaminator::new(items, &DecontaminateOptions::default()).unwrap();
    for text in slices(&zh, 2000).iter().chain(&slices(&en, 5000)) {
        assert_eq!(index.check(text), []);
    }
}

#[test]
fn part_of_an_item_is_a_share_of_it() {
    let words: Vec<String> = (0..33).map(|i| format!("word{i}")).collect();
    let question = words.join(" ");
    let half = words[..23].join(" ");
    let with = |min_share| DecontaminateOptions { min_share, ..Default::default() };
    let index = Decontaminator::new([("s", "1", question.as_str())], &with(0.0)).unwrap();
    // 21 windows of 13 words, of which 11 lie within the first 23 words.
    assert_eq!(index.check(&half)[0].share, 11.0 / 21.0);
    assert_eq!(index.check(&half)[0].spans.first(), Some(&(0..half.len())));
    assert_eq!(index.check(&words[..12].join(" ")), []);
    let strict = Decontaminator::new([("s", "1", question.as_str())], &with(0.6)).unwrap();
    assert_eq!(strict.check(&half), []);
    assert_eq!(strict.check(&question).len(), 1);
}

#[test]
fn items_too_short_to_tell_are_listed_and_not_searched() {
    let items = [("s", "空", ""), ("s", "短", "水稻是什么？"), ("s", "en", "What is rice?")];
    let index = Decontaminator::new(items, &DecontaminateOptions::default()).unwrap();
    assert_eq!(index.n_items(), 0);
    assert_eq!(index.skipped().len(), 3);
    assert_eq!(index.check("水稻是什么？What is rice?"), []);
}

#[test]
fn hostile_documents_and_options_are_answered() {
    let items = [("s", "1", "春".repeat(30)), ("s", "2", "a ".repeat(30))]
        .map(|(set, id, text)| (set.to_owned(), id.to_owned(), text));
    let index = Decontaminator::new(items, &DecontaminateOptions::default()).unwrap();
    assert_eq!(index.check(""), []);
    assert_eq!(index.check("春"), []);
    assert_eq!(index.check(&"a".repeat(10 << 20)), []);
    let long = "春".repeat(1 << 20);
    assert_eq!(index.check(&long)[0].spans.first(), Some(&(0..long.len())));
    for (words, ideographs, min_share) in [
        (1, 20, 0.0),
        (65, 20, 0.0),
        (13, 1, 0.0),
        (13, 129, 0.0),
        (13, 20, 1.1),
        (13, 20, f64::NAN),
    ] {
        let options = DecontaminateOptions { words, ideographs, min_share };
        assert!(Decontaminator::new::<&str>([], &options).is_err(), "{options:?}");
    }
}
