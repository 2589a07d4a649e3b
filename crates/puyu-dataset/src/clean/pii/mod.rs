//! Personal data in text: found as spans, redacted or marked.
//!
//! Patterns propose, arithmetic decides: check digits, ranges, and what stands next to the match.
//! A number is taken only where no letter or digit continues it.

mod candidates;
mod checks;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The kinds of personal data that are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum PiiKind {
    /// An e-mail address.
    Email,
    /// A Chinese mobile or landline number.
    PhoneCn,
    /// A North American telephone number with its area code.
    PhoneUs,
    /// An 18-digit Chinese identity number with a valid date and check digit.
    IdCn,
    /// An IPv4 address other than loopback, broadcast and `0.x`.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A payment card number of a known range with a valid Luhn digit.
    CreditCard,
    /// A URL that carries a password, key or token; the whole URL is the span.
    UrlToken,
}

impl PiiKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Email,
        Self::PhoneCn,
        Self::PhoneUs,
        Self::IdCn,
        Self::Ipv4,
        Self::Ipv6,
        Self::CreditCard,
        Self::UrlToken,
    ];

    /// The name in files and placeholders.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::PhoneCn => "PHONE_CN",
            Self::PhoneUs => "PHONE_US",
            Self::IdCn => "ID_CN",
            Self::Ipv4 => "IPV4",
            Self::Ipv6 => "IPV6",
            Self::CreditCard => "CREDIT_CARD",
            Self::UrlToken => "URL_TOKEN",
        }
    }
}

/// One piece of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PiiSpan {
    /// What it is.
    pub kind: PiiKind,
    /// Where it begins, in Unicode scalar values.
    pub start: usize,
    /// Where it ends, in Unicode scalar values, exclusive.
    pub end: usize,
}

/// What happens to what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PiiAction {
    /// `[EMAIL]` in its place.
    #[default]
    Redact,
    /// `<EMAIL>a@b.cn</EMAIL>` around it.
    Mark,
}

/// What to look for and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PiiOptions {
    /// The kinds to look for; all by default.
    pub kinds: Vec<PiiKind>,
    /// What happens to what is found: redacted by default, so that nothing is left to leak.
    pub action: PiiAction,
    /// Placeholders other than `[KIND]`.
    pub placeholders: BTreeMap<PiiKind, String>,
}

impl Default for PiiOptions {
    fn default() -> Self {
        Self {
            kinds: PiiKind::ALL.to_vec(),
            action: PiiAction::Redact,
            placeholders: BTreeMap::new(),
        }
    }
}

impl PiiOptions {
    /// Finds personal data: spans in order, none overlapping.
    ///
    /// ```
    /// use puyu_dataset::clean::{PiiKind, PiiOptions};
    ///
    /// let spans = PiiOptions::default().find("邮箱：wei@example.cn，电话 13000003116。");
    /// assert_eq!(spans[0].kind, PiiKind::Email);
    /// assert_eq!((spans[0].start, spans[0].end), (3, 17));
    /// assert_eq!(spans[1].kind, PiiKind::PhoneCn);
    /// ```
    pub fn find(&self, text: &str) -> Vec<PiiSpan> {
        let mut place = (0_usize, 0_usize);
        let mut characters = |byte: usize| {
            place = (byte, place.1 + text[place.0..byte].chars().count());
            place.1
        };
        let spans = candidates::resolve(text, &self.kinds).into_iter();
        spans
            .map(|(kind, range)| {
                let start = characters(range.start);
                PiiSpan { kind, start, end: characters(range.end) }
            })
            .collect()
    }

    /// Redacts or marks personal data; also returns how many spans there were.
    ///
    /// ```
    /// use puyu_dataset::clean::PiiOptions;
    ///
    /// let (text, count) = PiiOptions::default().apply("写信给 wei@example.cn。");
    /// assert_eq!((text.as_str(), count), ("写信给 [EMAIL]。", 1));
    /// ```
    pub fn apply(&self, text: &str) -> (String, usize) {
        let spans = candidates::resolve(text, &self.kinds);
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for (kind, range) in &spans {
            out.push_str(&text[done..range.start]);
            let name = kind.as_str();
            match self.action {
                PiiAction::Mark => {
                    out.extend(["<", name, ">", &text[range.clone()], "</", name, ">"]);
                }
                PiiAction::Redact => match self.placeholders.get(kind) {
                    Some(placeholder) => out.push_str(placeholder),
                    None => out.extend(["[", name, "]"]),
                },
            }
            done = range.end;
        }
        out.push_str(&text[done..]);
        (out, spans.len())
    }
}

#[cfg(test)]
mod tests;
