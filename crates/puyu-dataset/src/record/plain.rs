//! Plain text, and pictures with captions.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::engine::{self, Field, JsonForm, Shape, missing_member};
use crate::fault::{Fault, FaultKind};
use crate::row::{RawRow, Record, Sample};

/// A text without anything else: the `text` of a JSON row or column, or a whole `.txt` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainText {
    /// The text.
    pub text: String,
}

impl PlainText {
    /// Reads the bytes of a text file or of one line of it.
    ///
    /// # Errors
    ///
    /// A [`Fault`] of kind UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        Ok(Self { text: utf8(engine::without_byte_order_mark(bytes), None)? })
    }
}

fn utf8(bytes: &[u8], field: Option<&str>) -> Result<String, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let found = format!("other bytes at byte {}", error.valid_up_to());
        Fault { field: field.map(str::to_owned), ..Fault::row(FaultKind::Utf8, "UTF-8", found) }
    })?;
    Ok(text.to_owned())
}

impl JsonForm for PlainText {
    const NAME: &'static str = "text";
    const SHAPE: Shape = Shape::Object(&[Field::required("text", Shape::Text)]);

    fn columns() -> Option<&'static [&'static str]> {
        Some(&["text"])
    }

    fn from_columns(batch: &arrow::record_batch::RecordBatch, row: usize) -> Result<Self, Fault> {
        Ok(Self { text: engine::columns::required_text(batch, "text", row)? })
    }
}

/// A picture file with captions in one or more languages, as a row beside a folder of pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageCaptions {
    /// The picture, relative to the file of rows.
    pub file_name: String,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// What the picture shows.
    pub captions: Vec<String>,
    /// The words in the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocr: Option<String>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl JsonForm for ImageCaptions {
    const NAME: &'static str = "image-captions";
    const SHAPE: Shape = Shape::Object(&[
        Field::required("file_name", Shape::Text),
        Field::optional("width", Shape::Pixels),
        Field::optional("height", Shape::Pixels),
        Field::required("captions", Shape::List(&Shape::Text)),
        Field::optional("ocr", Shape::Text),
    ]);
}

/// A WebDataset sample of one picture, its caption and perhaps a JSON object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Captioned {
    /// The sample's key.
    pub key: String,
    /// The picture's file name ending: `jpg`, `png`, `webp`, …
    pub extension: String,
    /// The picture's file.
    #[serde(skip)]
    pub image: Bytes,
    /// The caption: the member `txt`, else `caption` of the JSON.
    pub caption: String,
    /// The member `json`; null where there is none.
    pub json: Value,
}

/// The picture formats that samples are looked through for.
const PICTURES: [&str; 7] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tiff"];

impl Captioned {
    /// The members by extension, ready to be written into a tar file again.
    pub fn members(&self) -> BTreeMap<String, Bytes> {
        let mut members = BTreeMap::new();
        members.insert(self.extension.clone(), self.image.clone());
        members.insert("txt".to_owned(), Bytes::from(self.caption.clone()));
        if !self.json.is_null() {
            members.insert("json".to_owned(), Bytes::from(self.json.to_string()));
        }
        members
    }

    pub(crate) fn picture(sample: &Sample) -> Option<(&str, &Bytes)> {
        let is_picture = |extension: &str| PICTURES.contains(&extension);
        let member = sample.members.iter().find(|m| is_picture(&m.extension))?;
        Some((&member.extension, &member.bytes))
    }
}

impl Record for Captioned {
    const FORM: &'static str = "captioned";

    fn decode(row: RawRow<'_>) -> Result<Self, Fault> {
        let RawRow::Members(sample) = row else {
            let expected = "a WebDataset sample with a picture";
            return Err(Fault::row(FaultKind::Type, expected, "a row without files"));
        };
        let (extension, image) =
            Self::picture(sample).ok_or_else(|| missing_member("jpg", sample))?;
        let json = match sample.member("json") {
            Some(_) => engine::row_value(row)?,
            None => Value::Null,
        };
        let caption = match (sample.member("txt"), json.get("caption")) {
            (Some(text), _) => utf8(text, Some("txt"))?,
            (None, Some(Value::String(caption))) => caption.clone(),
            (None, _) => return Err(missing_member("txt", sample)),
        };
        let (key, extension) = (sample.key.clone(), extension.to_owned());
        Ok(Self { key, extension, image: image.clone(), caption, json })
    }
}
