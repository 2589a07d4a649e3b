//! The forms by name, and which of them a row is in.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::*;
use crate::fault::{Fault, FaultKind, excerpt};
use crate::row::{RawRow, Record};

macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident($type:ty),)*) => {
        /// A form, by name; front ends list [`Form::all`].
        ///
        /// # Examples
        ///
        /// ```
        /// use puyu_dataset::record::Form;
        ///
        /// assert_eq!("wanjuan-text".parse(), Ok(Form::Document));
        /// assert_eq!(Form::ShareGpt.to_string(), "sharegpt");
        /// assert!("万卷".parse::<Form>().unwrap_err().to_string().contains("wanjuan-text"));
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Form {
            $($(#[$doc])* $name,)*
        }

        impl Form {
            /// All forms.
            pub fn all() -> &'static [Form] {
                &[$(Form::$name,)*]
            }

            /// The name; the same as the type's [`Record::FORM`].
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Form::$name => <$type as Record>::FORM,)*
                }
            }

            /// Reads a row that is known to be in this form.
            ///
            /// # Errors
            ///
            /// The form's first [`Fault`].
            pub fn decode(self, row: RawRow<'_>) -> Result<AnyRecord, Fault> {
                match self {
                    $(Form::$name => <$type>::decode(row).map(AnyRecord::$name),)*
                }
            }
        }

        /// A row of any form. It is written in its own form.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum AnyRecord {
            $($(#[$doc])* $name($type),)*
        }

        impl AnyRecord {
            /// The form.
            pub fn form(&self) -> Form {
                match self {
                    $(AnyRecord::$name(_) => Form::$name,)*
                }
            }
        }
    };
}

forms! {
    /// WanJuan 1.0 text.
    Document(Document),
    /// WanJuan 1.0 image-text.
    ImageText(ImageText),
    /// WanJuan-CC.
    CcDocument(CcDocument),
    /// WanJuan exam questions.
    Exam(Exam),
    /// Video descriptions.
    VideoDescription(VideoDescription),
    /// Plain text.
    PlainText(PlainText),
    /// Interleaved samples of this crate.
    Interleaved(Interleaved),
    /// Multimodal C4.
    Mmc4(Mmc4),
    /// OBELICS and OmniCorpus.
    Obelics(Obelics),
    /// MinerU content lists.
    ContentList(ContentList),
    /// Pictures with captions in rows.
    ImageCaptions(ImageCaptions),
    /// Pictures with captions in tar files.
    Captioned(Captioned),
    /// Alpaca.
    Alpaca(Alpaca),
    /// ShareGPT and LLaVA.
    ShareGpt(ShareGpt),
    /// OpenAI messages.
    Messages(Messages),
    /// MOSS.
    Moss(Moss),
    /// XTuner's `conversation`.
    XTuner(XTuner),
    /// Preference pairs.
    Preference(Preference),
    /// Prompts with rewards.
    RewardPrompt(RewardPrompt),
}

/// A name that no form has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no form is called `{found}`; expected one of {}", names())]
pub struct UnknownForm {
    /// The name as given.
    pub found: String,
}

fn names() -> String {
    Form::all().iter().map(|form| form.as_str()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Form {
    type Err = UnknownForm;

    fn from_str(name: &str) -> Result<Self, UnknownForm> {
        let form = Form::all().iter().find(|form| form.as_str() == name);
        form.copied().ok_or_else(|| UnknownForm { found: excerpt(name) })
    }
}

impl Record for AnyRecord {
    const FORM: &'static str = "any";

    /// Reads a row in the form that [`detect_form`] sees.
    ///
    /// # Errors
    ///
    /// The form's first fault. Of rows in no known form: what keeps them from being a JSON object,
    /// else a fault of kind type with the row's fields.
    fn decode(row: RawRow<'_>) -> Result<Self, Fault> {
        if let Some(form) = detect_form(row) {
            return form.decode(row);
        }
        let found = describe(&row_value(row)?);
        Err(Fault::row(FaultKind::Type, "a row in a known form", found))
    }
}

impl AnyRecord {
    /// The row as a conversation.
    ///
    /// # Errors
    ///
    /// What is wrong with the conversation; of kind type if the form is none for conversations.
    pub fn into_conversation(self) -> Result<Conversation, Fault> {
        match self {
            Self::Alpaca(row) => row.try_into(),
            Self::ShareGpt(row) => row.try_into(),
            Self::Messages(row) => row.try_into(),
            Self::Moss(row) => row.try_into(),
            Self::XTuner(row) => row.try_into(),
            Self::RewardPrompt(row) => row.try_into(),
            other => Err(wrong_form("a conversation", &other)),
        }
    }

    /// The row as an interleaved sample: forms with pictures, and texts as one part.
    ///
    /// # Errors
    ///
    /// What is wrong with the row; of kind type if the form has neither.
    pub fn into_interleaved(self) -> Result<Interleaved, Fault> {
        Ok(match self {
            Self::Interleaved(row) => row,
            Self::ImageText(row) => Interleaved::from_wanjuan(&row).0,
            Self::Mmc4(row) => row.into(),
            Self::Obelics(row) => row.try_into()?,
            Self::ContentList(row) => row.into(),
            Self::ShareGpt(row) => row.try_into()?,
            other => {
                let Some(text) = other.text() else {
                    return Err(wrong_form("texts and pictures", &other));
                };
                let parts = vec![Part::text(text)];
                Interleaved { id: other.id().map(str::to_owned), parts, ..Default::default() }
            }
        })
    }

    /// The text to train on, of the forms that are one text.
    pub fn text(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some(match self {
            Self::Document(row) => (&row.content).into(),
            Self::ImageText(row) => (&row.content).into(),
            Self::CcDocument(row) => (&row.content).into(),
            Self::Exam(row) => row.text().into(),
            Self::PlainText(row) => (&row.text).into(),
            Self::Captioned(row) => (&row.caption).into(),
            _ => return None,
        })
    }

    /// The id, of the forms whose rows must have one.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Document(row) => Some(&row.id),
            Self::ImageText(row) => Some(&row.id),
            Self::CcDocument(row) => Some(&row.id),
            Self::Exam(row) => Some(&row.id),
            Self::VideoDescription(row) => Some(&row.id),
            Self::Interleaved(row) => row.id.as_deref(),
            Self::Captioned(row) => Some(&row.key),
            _ => None,
        }
    }
}

fn wrong_form(expected: &str, row: &AnyRecord) -> Fault {
    let expected = format!("a form with {expected}");
    Fault::row(FaultKind::Type, expected, format!("form {}", row.form()))
}

/// The form that a row's fields tell; `None` if they tell none or the row is not JSON.
pub fn detect_form(row: RawRow<'_>) -> Option<Form> {
    match row {
        RawRow::Json(bytes) => detect_json(bytes),
        RawRow::Columns(batch, _) => {
            let schema = batch.schema_ref();
            by_keys(&schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>())
        }
        RawRow::Members(sample) => {
            let has_caption = sample.member("txt").is_some() || sample.member("json").is_some();
            match Captioned::picture(sample) {
                Some(_) if has_caption => Some(Form::Captioned),
                _ => detect_json(sample.member("json")?),
            }
        }
    }
}

fn detect_json(bytes: &[u8]) -> Option<Form> {
    let bytes = engine::without_byte_order_mark(bytes);
    let mut found = Found::default();
    // An error is no hindrance: the keys up to it may tell the form.
    let _ = serde_json::Deserializer::from_slice(bytes).deserialize_any(Keys(&mut found));
    let names: Vec<_> = found.names.iter().map(String::as_str).collect();
    match found.is_list {
        false => by_keys(&names),
        true if names.contains(&"role") => Some(Form::Messages),
        true if names.contains(&"type") => Some(Form::ContentList),
        true => None,
    }
}

/// From the most telling field to the least.
fn by_keys(names: &[&str]) -> Option<Form> {
    let rules: &[(&[&str], Form)] = &[
        (&["img_list"], Form::ImageText),
        (&["q_main"], Form::Exam),
        (&["chosen", "rejected"], Form::Preference),
        (&["chat", "meta_instruction"], Form::Moss),
        (&["conversations"], Form::ShareGpt),
        (&["conversation"], Form::XTuner),
        (&["messages"], Form::Messages),
        (&["prompt", "reward_model"], Form::RewardPrompt),
        (&["instruction", "output"], Form::Alpaca),
        (&["text_list", "image_info"], Form::Mmc4),
        (&["images", "texts"], Form::Obelics),
        (&["parts"], Form::Interleaved),
        (&["file_name", "captions"], Form::ImageCaptions),
        (&["video", "id"], Form::VideoDescription),
        (&["content", "cbytes_num"], Form::CcDocument),
        (&["content"], Form::Document),
        (&["text"], Form::PlainText),
    ];
    let fits = |keys: &[&str]| keys.iter().all(|key| names.contains(key));
    rules.iter().find(|(keys, _)| fits(keys)).map(|(_, form)| *form)
}

/// Collects the keys of an object, or of the first object of a list.
struct Keys<'a>(&'a mut Found);

#[derive(Default)]
struct Found {
    names: Vec<String>,
    is_list: bool,
}

/// More keys than any form has; a row of a million keys is not worth the memory.
const MAX_KEYS: usize = 64;

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while self.0.names.len() < MAX_KEYS
            && let Some(key) = map.next_key::<String>()?
        {
            self.0.names.push(key);
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.is_list = true;
        let first = list.next_element::<std::collections::BTreeMap<String, IgnoredAny>>()?;
        self.0.names.extend(first.unwrap_or_default().into_keys().take(MAX_KEYS));
        Ok(())
    }
}
