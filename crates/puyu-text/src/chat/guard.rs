//! Keeps special tokens in the text of messages apart from those of a Jinja template.
//!
//! A Jinja template gives back one string and nobody can see which parts of it came from a message.
//! Marks around each message would disturb templates that trim, split or compare. So the messages
//! are changed only where they hold a special token: its first character is replaced by one private
//! character that occurs nowhere else. What the template writes then holds no special token but its
//! own, and the private characters show where the replaced ones belong.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::added::{AddedTokens, SpecialPrefix};
use crate::error::ChatError;
use crate::tokenizer::{Origin, Segments};

/// The private characters of plane 15: 65 534 of them, in no font and in no honest message.
pub(super) const MASKS: RangeInclusive<char> = '\u{F0000}'..='\u{FFFFD}';

/// Replaces the first characters of special tokens, and puts them back.
pub(super) struct Guard<'a> {
    added: &'a AddedTokens,
    /// First characters of special tokens, and what stands for them.
    masks: Vec<(char, char)>,
}

impl<'a> Guard<'a> {
    /// Chooses private characters that are in none of the texts.
    ///
    /// # Errors
    ///
    /// [`ChatError::NoFreeMark`].
    pub(super) fn new(
        added: &'a AddedTokens,
        template: &str,
        values: &[&Value],
    ) -> Result<Self, ChatError> {
        let mut used = HashSet::new();
        note_masks(template, &mut used);
        for value in values {
            for_each_text(value, &mut |text| note_masks(text, &mut used));
        }
        let mut firsts: Vec<char> =
            added.special().filter_map(|token| token.content.chars().next()).collect();
        firsts.sort_unstable();
        firsts.dedup();

        let mut free = MASKS.filter(|mask| !used.contains(mask));
        let masks = firsts
            .into_iter()
            .map(|first| Some((first, free.next()?)))
            .collect::<Option<Vec<_>>>()
            .ok_or(ChatError::NoFreeMark)?;
        Ok(Self { added, masks })
    }

    /// Masks every special token in the texts of `value`, the names in its objects included.
    pub(super) fn protect(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(masked) = self.masked(text) {
                    *text = masked;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.protect(item)),
            Value::Object(map) => {
                map.values_mut().for_each(|item| self.protect(item));
                if map.keys().any(|key| self.masked(key).is_some()) {
                    *map = std::mem::take(map)
                        .into_iter()
                        .map(|(key, item)| (self.masked(&key).unwrap_or(key), item))
                        .collect();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The text with its special tokens masked, or nothing if it has none.
    ///
    /// A special token that is only begun at the end of the text is masked too: what the template
    /// writes after the text might complete it.
    fn masked(&self, text: &str) -> Option<String> {
        let mut masked = String::new();
        let mut end = 0;
        for (start, character) in text.char_indices() {
            let Some(&(_, mask)) = self.masks.iter().find(|(first, _)| *first == character) else {
                continue;
            };
            if self.added.special_prefix(&text[start..]) != SpecialPrefix::Absent {
                masked.push_str(&text[end..start]);
                masked.push(mask);
                end = start + character.len_utf8();
            }
        }
        if end == 0 {
            return None;
        }
        masked.push_str(&text[end..]);
        Some(masked)
    }

    /// Cuts what the template wrote at the masks and puts the replaced characters back.
    pub(super) fn segments(&self, rendered: &str) -> Segments {
        let mut segments = Segments::default();
        let mut end = 0;
        for (start, character) in rendered.char_indices() {
            let Some(&(first, mask)) = self.masks.iter().find(|(_, mask)| *mask == character)
            else {
                continue;
            };
            segments.template(&rendered[end..start]);
            segments.push(first.encode_utf8(&mut [0; 4]), Origin::Content);
            end = start + mask.len_utf8();
        }
        segments.template(&rendered[end..]);
        segments
    }
}

fn note_masks(text: &str, used: &mut HashSet<char>) {
    used.extend(text.chars().filter(|character| MASKS.contains(character)));
}

fn for_each_text(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| for_each_text(item, visit)),
        Value::Object(map) => {
            for (key, item) in map {
                visit(key);
                for_each_text(item, visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
