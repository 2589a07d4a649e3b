//! The forms of 书生·万卷 (WanJuan): text, image-text, WanJuan-CC, exams, video descriptions.

use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

use super::engine::columns::required_text;
use super::engine::{Field, JsonForm, Shape, nullable, objects};
use crate::fault::{Fault, FaultKind, excerpt};

mod batch;
mod exam;
mod video;

pub use batch::ToBatch;
pub use exam::Exam;
pub use video::{VideoCaption, VideoDescription};

/// A document of WanJuan 1.0: text or Markdown.
///
/// # Examples
///
/// ```
/// use puyu_dataset::record::Document;
/// use puyu_dataset::{RawRow, Record};
///
/// let row = r#"{"id": "BkORdv3xK7IA0HG7pccr", "content": "时光倏忽即逝，\n宛如滔滔流水"}"#;
/// let document = Document::decode(RawRow::Json(row.as_bytes()))?;
/// assert_eq!(document.content.lines().count(), 2);
/// # Ok::<(), puyu_dataset::Fault>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Names the document; 20 letters and digits in published data. Not empty.
    pub id: String,
    /// The text.
    pub content: String,
}

/// Refuses an empty `id`.
pub(crate) fn check_id(id: &str) -> Result<(), Fault> {
    if id.is_empty() {
        let (expected, found) = ("a string that is not empty", "the empty string");
        return Err(Fault::field(FaultKind::Value, "id", expected, found));
    }
    Ok(())
}

impl JsonForm for Document {
    const NAME: &'static str = "wanjuan-text";
    const SHAPE: Shape = Shape::Object(&[
        Field::required("id", Shape::Text),
        Field::required("content", Shape::Text),
    ]);

    fn check(&self) -> Result<(), Fault> {
        check_id(&self.id)
    }

    fn columns() -> Option<&'static [&'static str]> {
        Some(&["id", "content"])
    }

    fn from_columns(batch: &RecordBatch, row: usize) -> Result<Self, Fault> {
        let id = required_text(batch, "id", row)?;
        Ok(Self { id, content: required_text(batch, "content", row)? })
    }
}

/// A document of WanJuan 1.0 with pictures, which stand in `content` as Markdown `![](url)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageText {
    /// Names the document. Not empty.
    pub id: String,
    /// The pictures.
    #[serde(deserialize_with = "objects")]
    pub img_list: Vec<WanJuanImage>,
    /// The text in Markdown.
    pub content: String,
}

/// A picture of an [`ImageText`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WanJuanImage {
    /// Where the picture is; the same string as in `content`.
    pub url: String,
    /// SHA-256 of the **URL string** (not of the picture), in 64 hexadecimal digits.
    pub sha256: String,
    /// What the picture shows; often empty.
    pub caption: String,
    /// Pixels, as a string: so it is published.
    pub width: String,
    /// Pixels, as a string: so it is published.
    pub height: String,
}

impl WanJuanImage {
    /// The width in pixels; `None` where it is not given.
    pub fn width_pixels(&self) -> Option<u32> {
        self.width.parse().ok()
    }

    /// The height in pixels; `None` where it is not given.
    pub fn height_pixels(&self) -> Option<u32> {
        self.height.parse().ok()
    }

    fn check(&self, index: usize) -> Result<(), Fault> {
        let fault = |field: &str, expected: &str, found: &str| {
            let found = format!("the string \"{}\"", excerpt(found));
            Fault::field(FaultKind::Value, format!("img_list[{index}].{field}"), expected, found)
        };
        let is_hex = self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.sha256.len() != 64 || !is_hex {
            return Err(fault("sha256", "64 hexadecimal digits", &self.sha256));
        }
        for (name, text) in [("width", &self.width), ("height", &self.height)] {
            if !text.is_empty() && text.parse::<u32>().is_err() {
                return Err(fault(name, "a whole number of pixels in a string", text));
            }
        }
        Ok(())
    }
}

const IMAGE: Shape = Shape::Object(&[
    Field::required("url", Shape::Text),
    Field::required("sha256", Shape::Text),
    Field::required("caption", Shape::Text),
    Field::required("width", Shape::Text),
    Field::required("height", Shape::Text),
]);

impl JsonForm for ImageText {
    const NAME: &'static str = "wanjuan-image-text";
    const SHAPE: Shape = Shape::Object(&[
        Field::required("id", Shape::Text),
        Field::required("img_list", Shape::List(&IMAGE)),
        Field::required("content", Shape::Text),
    ]);

    fn check(&self) -> Result<(), Fault> {
        check_id(&self.id)?;
        self.img_list.iter().enumerate().try_for_each(|(index, image)| image.check(index))
    }

    fn columns() -> Option<&'static [&'static str]> {
        Some(&["id", "img_list", "content"])
    }
}

/// A document of WanJuan-CC (WanJuan 2.0): web text with counts and the scores of classifiers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CcDocument {
    /// Names the document. Not empty.
    pub id: String,
    /// The text.
    pub content: String,
    /// The page's title.
    pub title: String,
    /// The language's code, such as `en`.
    pub language: String,
    /// When the page was fetched, as in RFC 3339; may be empty.
    pub date: String,
    /// Tokens in `content`, by the publisher's tokenizer.
    pub token_num: u64,
    /// Bytes in `content`.
    pub cbytes_num: u64,
    /// Lines in `content`.
    pub line_num: u64,
    /// Characters in `content`.
    pub char_num: u64,
    /// 0 to 1, low is good; null where no classifier was run, as for the other scores.
    #[serde(deserialize_with = "nullable")]
    pub toxic_score: Option<f64>,
    /// 0 to 1, low is good.
    #[serde(deserialize_with = "nullable")]
    pub porn_score: Option<f64>,
    /// 0 to 1, high is good.
    #[serde(deserialize_with = "nullable")]
    pub fluency_score: Option<f64>,
    /// 0 to 1, high is good.
    #[serde(deserialize_with = "nullable")]
    pub not_ad_score: Option<f64>,
}

impl JsonForm for CcDocument {
    const NAME: &'static str = "wanjuan-cc";
    const SHAPE: Shape = Shape::Object(&[
        Field::required("id", Shape::Text),
        Field::required("content", Shape::Text),
        Field::required("title", Shape::Text),
        Field::required("language", Shape::Text),
        Field::required("date", Shape::Text),
        Field::required("token_num", Shape::Count),
        Field::required("cbytes_num", Shape::Count),
        Field::required("line_num", Shape::Count),
        Field::required("char_num", Shape::Count),
        Field::nullable("toxic_score", Shape::Number),
        Field::nullable("porn_score", Shape::Number),
        Field::nullable("fluency_score", Shape::Number),
        Field::nullable("not_ad_score", Shape::Number),
    ]);

    fn check(&self) -> Result<(), Fault> {
        check_id(&self.id)
    }

    fn columns() -> Option<&'static [&'static str]> {
        Some(&[
            "id",
            "content",
            "title",
            "language",
            "date",
            "token_num",
            "cbytes_num",
            "line_num",
            "char_num",
            "toxic_score",
            "porn_score",
            "fluency_score",
            "not_ad_score",
        ])
    }
}
