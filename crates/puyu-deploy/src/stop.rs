//! Stop strings in a stream: text is held back while it may be the start of one.

/// Finds stop strings in text that comes in pieces. What it finds does not depend on the cuts.
#[derive(Debug, Default)]
pub(crate) struct StopStrings {
    stops: Vec<String>,
    /// Text not given out yet.
    held: String,
}

/// What a piece of text led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// Text that no stop string can begin in any more.
    Text(String),
    /// A stop string came; the text before it, and which it was.
    Stopped { before: String, stop: String },
}

impl StopStrings {
    pub(crate) fn new(stops: &[String]) -> Self {
        Self { stops: stops.to_vec(), held: String::new() }
    }

    /// Takes the next piece of text.
    pub(crate) fn push(&mut self, piece: &str) -> Scan {
        self.held.push_str(piece);
        // The one that is complete first, as if the text came letter by letter.
        let first = self
            .stops
            .iter()
            .filter_map(|stop| Some((self.held.find(stop.as_str())?, stop)))
            .min_by_key(|&(start, stop)| (start + stop.len(), start));
        if let Some((start, stop)) = first {
            let stop = stop.clone();
            let before = self.held[..start].to_owned();
            self.held.clear();
            return Scan::Stopped { before, stop };
        }
        let rest = self.held.split_off(self.held.len() - self.n_uncertain());
        Scan::Text(std::mem::replace(&mut self.held, rest))
    }

    /// The text held back, which turned out to be no stop string.
    pub(crate) fn flush(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Length in bytes of the longest end of the text that begins a stop string.
    fn n_uncertain(&self) -> usize {
        let longest = self.stops.iter().map(String::len).max().unwrap_or(0);
        let from = self.held.len().saturating_sub(longest.saturating_sub(1));
        (from..self.held.len())
            .filter(|&start| self.held.is_char_boundary(start))
            .find(|&start| self.stops.iter().any(|stop| stop.starts_with(&self.held[start..])))
            .map_or(0, |start| self.held.len() - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stops: &[&str], pieces: &[&str], text: &str, stopped_by: Option<&str>) {
        let stops: Vec<String> = stops.iter().map(|&stop| stop.to_owned()).collect();
        let mut scanner = StopStrings::new(&stops);
        let mut found = String::new();
        for piece in pieces {
            match scanner.push(piece) {
                Scan::Text(certain) => found += &certain,
                Scan::Stopped { before, stop } => {
                    assert_eq!((found + &before).as_str(), text);
                    assert_eq!(Some(stop.as_str()), stopped_by);
                    return;
                }
            }
        }
        assert_eq!(found + &scanner.flush(), text);
        assert_eq!(stopped_by, None);
    }

    #[test]
    fn a_stop_string_cut_into_pieces_is_found_and_never_shown() {
        check(&["\nUser:"], &["你好", "。\n", "Us", "er", ": x"], "你好。", Some("\nUser:"));
        check(&["停止"], &["请停", "止吧"], "请", Some("停止"));
    }

    #[test]
    fn what_only_looks_like_a_stop_string_is_shown_in_the_end() {
        check(&["\nUser:"], &["a\nUs", "A"], "a\nUsA", None);
        check(&["停止"], &["请停"], "请停", None);
        check(&["aab"], &["a", "a", "a", "a"], "aaaa", None);
    }

    #[test]
    fn the_stop_string_that_is_complete_first_wins() {
        check(&["def", "bc"], &["abcdef"], "a", Some("bc"));
        check(&["ab", "abc"], &["xabc"], "x", Some("ab"));
        check(&["bc", "abc"], &["xabc"], "x", Some("abc"));
        check(&["你好吗", "好"], &["说你好吗"], "说你", Some("好"));
    }

    #[test]
    fn the_outcome_does_not_depend_on_how_the_text_is_cut() {
        let cases = [
            (vec!["abcd", "bc"], "xabcdx", "xa", Some("bc")),
            (vec!["停止", "请停止"], "请你请停止吧", "请你", Some("请停止")),
            (vec!["aab"], "aaaab", "aa", Some("aab")),
            (vec!["。\n\n", "\n\nUser"], "好。\n\nUser", "好", Some("。\n\n")),
            (vec!["bcx", "停止x"], "abc 请停止", "abc 请停止", None),
        ];
        for (stops, text, before, stopped_by) in cases {
            let characters: Vec<String> = text.chars().map(String::from).collect();
            for width in 1..=characters.len() {
                let pieces: Vec<String> =
                    characters.chunks(width).map(|chunk| chunk.concat()).collect();
                let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
                check(&stops, &pieces, before, stopped_by);
            }
        }
    }

    #[test]
    fn without_stop_strings_nothing_is_held_back() {
        let mut scanner = StopStrings::new(&[]);
        assert_eq!(scanner.push("中文 text"), Scan::Text("中文 text".to_owned()));
    }
}
