//! One Rust file as a flat list of tokens with lines.
//!
//! The lexer is `proc-macro2`, the one that macros use, so comments and strings cannot be mistaken
//! for code, and code inside macro calls is seen as well. A list of tokens is enough for all rules
//! here: none needs to know what an expression means.

use std::ops::RangeInclusive;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One token: a word, a single mark, a bracket, or a literal.
pub(super) struct Token {
    /// As written; a literal is replaced by [`LITERAL`] so that no rule reads it as code.
    text: String,
    /// Counted from 1.
    pub(super) line: usize,
    /// For an opening bracket the index of the closing one, else the index of the token itself.
    close: usize,
}

const LITERAL: &str = "\"";

/// A function with a body.
pub(super) struct Function {
    pub(super) name: String,
    /// Line of the word `fn`: documentation and attributes are not counted.
    pub(super) first_line: usize,
    /// Line of the closing brace.
    pub(super) last_line: usize,
}

/// The tokens of one file.
pub(super) struct RustSource {
    tokens: Vec<Token>,
    test_lines: Vec<RangeInclusive<usize>>,
    test_modules: Vec<String>,
}

impl RustSource {
    /// Splits `text` into tokens, or says why that is impossible.
    pub(super) fn lex(text: &str) -> Result<Self, String> {
        let stream = TokenStream::from_str(text)
            .map_err(|error| format!("line {}: {error}", error.span().start().line))?;
        let mut source =
            Self { tokens: Vec::new(), test_lines: Vec::new(), test_modules: Vec::new() };
        source.flatten(stream);
        source.find_tests(text.lines().count());
        Ok(source)
    }

    fn flatten(&mut self, stream: TokenStream) {
        for tree in stream {
            let line = tree.span().start().line;
            match tree {
                TokenTree::Ident(word) => self.push(word.to_string(), line),
                TokenTree::Punct(mark) => self.push(mark.as_char().to_string(), line),
                TokenTree::Literal(_) => self.push(LITERAL.to_owned(), line),
                TokenTree::Group(group) => {
                    let (open, close) = brackets(group.delimiter());
                    let opened = self.tokens.len();
                    self.push(open.to_owned(), line);
                    let close_line = group.span_close().start().line;
                    self.flatten(group.stream());
                    self.tokens[opened].close = self.tokens.len();
                    self.push(close.to_owned(), close_line);
                }
            }
        }
    }

    fn push(&mut self, text: String, line: usize) {
        let close = self.tokens.len();
        self.tokens.push(Token { text, line, close });
    }

    /// Every place where `pattern` occurs: the index of its first token.
    pub(super) fn places<'s>(&'s self, pattern: &'s [&'s str]) -> impl Iterator<Item = usize> + 's {
        (0..self.tokens.len()).filter(|&at| self.reads(at, pattern))
    }

    /// Whether the tokens from `at` on are `pattern`.
    pub(super) fn reads(&self, at: usize, pattern: &[&str]) -> bool {
        self.tokens
            .get(at..at + pattern.len())
            .is_some_and(|tokens| tokens.iter().zip(pattern).all(|(a, b)| a.text == *b))
    }

    /// Text of the token `at`, empty beyond either end.
    pub(super) fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    /// Line of the token `at`.
    pub(super) fn line(&self, at: usize) -> usize {
        self.tokens.get(at).map_or(1, |token| token.line)
    }

    /// Whether `line` belongs to an item that is compiled for tests only.
    pub(super) fn is_test_line(&self, line: usize) -> bool {
        self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    /// Names of the modules declared as `#[cfg(test)] mod NAME;`.
    pub(super) fn test_modules(&self) -> &[String] {
        &self.test_modules
    }

    /// Whether the file itself says `#![level(.., lint, ..)]`.
    pub(super) fn has_inner_lint(&self, level: &str, lint: &str) -> bool {
        self.places(&["#", "!", "[", level, "("]).any(|at| self.group_has(at + 4, lint))
    }

    /// Lines where `level(.., lint, ..)` stands in any attribute, inner or outer.
    pub(super) fn lint_lines(&self, level: &str, lint: &str) -> Vec<usize> {
        let pattern = [level, "("];
        let found = self.places(&pattern).filter(|&at| self.group_has(at + 1, lint));
        found.map(|at| self.line(at)).collect()
    }

    /// Whether the group opened at `open` contains the word.
    fn group_has(&self, open: usize, word: &str) -> bool {
        let close = self.tokens.get(open).map_or(open, |token| token.close);
        self.tokens[open..close].iter().any(|token| token.text == word)
    }

    /// All functions with bodies, nested ones too.
    pub(super) fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for at in self.places(&["fn"]) {
            let name = self.word(at + 1);
            if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
                continue; // A function pointer type, or a macro's placeholder.
            }
            if let Some(last) = self.end_of_item(at).filter(|&end| self.word(end) == "}") {
                functions.push(Function {
                    name: name.to_owned(),
                    first_line: self.line(at),
                    last_line: self.line(last),
                });
            }
        }
        functions
    }

    /// The closing brace or the semicolon that ends the item whose tokens start at `at`.
    ///
    /// A brace inside the item's head (`Foo<{ N }>`) is followed by `>` or `,` and is skipped.
    fn end_of_item(&self, at: usize) -> Option<usize> {
        let mut here = at;
        while here < self.tokens.len() {
            let token = &self.tokens[here];
            match token.text.as_str() {
                ";" => return Some(here),
                "}" | ")" | "]" => return None,
                "{" if !matches!(self.word(token.close + 1), ">" | ",") => {
                    return Some(token.close);
                }
                _ => here = token.close + 1,
            }
        }
        None
    }

    fn find_tests(&mut self, n_lines: usize) {
        let mut lines = Vec::new();
        let mut modules = Vec::new();
        for at in self.places(&["#", "!", "[", "cfg", "("]) {
            if self.means_test(at + 4) {
                lines.push(1..=n_lines.max(1));
            }
        }
        for at in self.places(&["#", "["]) {
            let is_test = self.reads(at + 2, &["test", "]"])
                || (self.reads(at + 2, &["cfg", "("]) && self.means_test(at + 3));
            if !is_test {
                continue;
            }
            let item = self.after_attributes(at);
            let Some(end) = self.end_of_item(item) else { continue };
            lines.push(self.line(at)..=self.line(end));
            let keyword = (item..end).find(|&i| self.word(i) == "mod");
            if let (";", Some(keyword)) = (self.word(end), keyword) {
                modules.push(self.word(keyword + 1).to_owned());
            }
        }
        self.test_lines = lines;
        self.test_modules = modules;
    }

    /// Whether the `cfg(..)` opened at `open` holds in tests only.
    fn means_test(&self, open: usize) -> bool {
        self.group_has(open, "test") && !self.group_has(open, "not") && !self.group_has(open, "any")
    }

    /// The first token behind the attributes that start at `at`.
    fn after_attributes(&self, at: usize) -> usize {
        let mut here = at;
        while self.reads(here, &["#", "["]) {
            here = self.tokens[here + 1].close + 1;
        }
        here
    }
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

#[cfg(test)]
mod tests;
