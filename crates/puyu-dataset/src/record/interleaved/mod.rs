//! Text with pictures in their places: one sample type, and the forms it is made from.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::engine::{Field, JsonForm, Shape, null_as_default, objects, objects_or_none};
use crate::fault::Fault;

mod markdown;
mod mineru;
mod web;

pub use markdown::PictureReport;
pub use mineru::{ContentBlock, ContentList};
pub use web::{Mmc4, Mmc4Image, Obelics};

/// A document of texts and pictures in reading order.
///
/// # Examples
///
/// ```
/// use puyu_dataset::record::{ImageText, Interleaved};
/// use puyu_dataset::{RawRow, Record};
///
/// let row = serde_json::json!({
///     "id": "Bk1",
///     "img_list": [{"url": "a.png", "sha256": "0".repeat(64), "caption": "山",
///                   "width": "400", "height": "266"}],
///     "content": "上\n![](a.png)\n下",
/// });
/// let document = ImageText::decode(RawRow::Json(row.to_string().as_bytes()))?;
/// let (sample, report) = Interleaved::from_wanjuan(&document);
/// assert_eq!(sample.parts.len(), 3);
/// assert_eq!(sample.images().next().map(|image| image.width), Some(Some(400)));
/// assert!(report.is_complete());
/// assert_eq!(sample.to_wanjuan()?.0, document);
/// # Ok::<(), puyu_dataset::Fault>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Interleaved {
    /// Names the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Texts and pictures, in reading order.
    #[serde(deserialize_with = "objects")]
    pub parts: Vec<Part>,
    /// Pictures that the source lists without a place.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "objects_or_none")]
    pub unplaced: Vec<Image>,
    /// All that the source says beside.
    #[serde(default, skip_serializing_if = "Map::is_empty", deserialize_with = "null_as_default")]
    pub meta: Map<String, Value>,
}

/// A piece of an [`Interleaved`] sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Text, verbatim.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image(Image),
}

/// A picture of an [`Interleaved`] sample: where it is and what is known about it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The address or path.
    pub source: String,
    /// A shorter name, such as that in an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it shows, told outside the text.
    #[serde(
        default,
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_as_default"
    )]
    pub caption: String,
    /// The alternative text, told inside the text.
    #[serde(
        default,
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_as_default"
    )]
    pub alt: String,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// WanJuan's hash: SHA-256 of the address, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How well it goes with the text beside it, as the source's model says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f64>,
    /// The page it was found on, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Where on the page: left, top, right, bottom in thousandths of its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bbox: Option<[f64; 4]>,
}

impl Part {
    /// A text part.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

impl Interleaved {
    /// The placed pictures, in order.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        self.parts.iter().filter_map(|part| match part {
            Part::Image(image) => Some(image),
            Part::Text { .. } => None,
        })
    }

    /// The texts, joined, with `mark` in the place of each picture.
    pub fn text_with(&self, mark: &str) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text { text } => text,
                Part::Image(_) => mark,
            })
            .collect()
    }

    fn push_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.parts.push(Part::text(text));
        }
    }
}

const PART: Shape = Shape::Object(&[
    Field::required("type", Shape::Text),
    Field::optional("text", Shape::Text),
    Field::optional("source", Shape::Text),
    Field::optional("caption", Shape::Text),
    Field::optional("width", Shape::Pixels),
    Field::optional("height", Shape::Pixels),
]);

const IMAGE: Shape = Shape::Object(&[
    Field::required("source", Shape::Text),
    Field::optional("caption", Shape::Text),
    Field::optional("width", Shape::Pixels),
    Field::optional("height", Shape::Pixels),
]);

impl JsonForm for Interleaved {
    const NAME: &'static str = "interleaved";
    const SHAPE: Shape = Shape::Object(&[
        Field::optional("id", Shape::Text),
        Field::required("parts", Shape::List(&PART)),
        Field::optional("unplaced", Shape::List(&IMAGE)),
        Field::optional("meta", Shape::Map(&Shape::Any)),
    ]);
}

/// Pictures of a ShareGPT or LLaVA row stand where `<image>` stood; turns are one below another.
impl TryFrom<super::ShareGpt> for Interleaved {
    type Error = Fault;

    fn try_from(row: super::ShareGpt) -> Result<Self, Fault> {
        let conversation = super::Conversation::try_from(row)?;
        let mut sample = Self { id: conversation.id.clone(), ..Self::default() };
        for (index, message) in conversation.messages().iter().enumerate() {
            if index > 0 {
                sample.push_text("\n");
            }
            for part in &message.content {
                match part {
                    puyu_core::ContentPart::Text { text } => sample.push_text(text),
                    puyu_core::ContentPart::ImageUrl { image_url } => {
                        let source = image_url.url.clone();
                        sample.parts.push(Part::Image(Image { source, ..Image::default() }));
                    }
                    _ => {}
                }
            }
        }
        sample.meta = conversation.meta;
        Ok(sample)
    }
}
