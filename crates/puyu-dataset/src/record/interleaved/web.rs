//! MMC4, OBELICS and OmniCorpus.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Image, Interleaved, Part};
use crate::fault::{Fault, FaultKind};
use crate::record::engine::{Field, JsonForm, Shape, describe, objects};

/// A document of Multimodal C4: sentences, and pictures that each match one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mmc4 {
    /// The page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The sentences.
    pub text_list: Vec<String>,
    /// The pictures.
    #[serde(deserialize_with = "objects")]
    pub image_info: Vec<Mmc4Image>,
    /// How well each picture goes with each sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity_matrix: Option<Vec<Vec<f64>>>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A picture of [`Mmc4`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mmc4Image {
    /// Its name in the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_name: Option<String>,
    /// Where it was.
    pub raw_url: String,
    /// The sentence that it stands before, counted from 0.
    pub matched_text_index: usize,
    /// How well it goes with that sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_sim: Option<f64>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

const MMC4_IMAGE: Shape = Shape::Object(&[
    Field::optional("image_name", Shape::Text),
    Field::required("raw_url", Shape::Text),
    Field::required("matched_text_index", Shape::Count),
    Field::optional("matched_sim", Shape::Number),
]);

impl JsonForm for Mmc4 {
    const NAME: &'static str = "mmc4";
    const SHAPE: Shape = Shape::Object(&[
        Field::optional("url", Shape::Text),
        Field::required("text_list", Shape::List(&Shape::Text)),
        Field::required("image_info", Shape::List(&MMC4_IMAGE)),
        Field::optional("similarity_matrix", Shape::List(&Shape::List(&Shape::Number))),
    ]);

    fn check(&self) -> Result<(), Fault> {
        let n_texts = self.text_list.len();
        for (index, image) in self.image_info.iter().enumerate() {
            if image.matched_text_index >= n_texts {
                return Err(Fault::field(
                    FaultKind::Value,
                    format!("image_info[{index}].matched_text_index"),
                    format!("less than {n_texts}, the number of texts"),
                    format!("the number {}", image.matched_text_index),
                ));
            }
        }
        Ok(())
    }
}

/// Each picture stands before its sentence; sentences are joined by a space.
impl From<Mmc4> for Interleaved {
    fn from(row: Mmc4) -> Self {
        let mut sample = Self { id: row.url, meta: row.extra, ..Self::default() };
        for (index, text) in row.text_list.iter().enumerate() {
            for image in row.image_info.iter().filter(|i| i.matched_text_index == index) {
                sample.parts.push(Part::Image(Image {
                    source: image.raw_url.clone(),
                    name: image.image_name.clone(),
                    similarity: image.matched_sim,
                    ..Image::default()
                }));
            }
            let space = if index + 1 < row.text_list.len() { " " } else { "" };
            sample.push_text(&format!("{text}{space}"));
        }
        sample
    }
}

/// A document of OBELICS or OmniCorpus: at each position a picture or a text, the other null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Obelics {
    /// Names the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The pictures' addresses.
    pub images: Vec<Option<String>>,
    /// The texts.
    pub texts: Vec<Option<String>>,
    /// About each position: a list (OmniCorpus), or a string that holds one in JSON (OBELICS).
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub metadata: Value,
    /// All other fields, such as `general_metadata`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

const TEXTS: Shape = Shape::List(&Shape::Nullable(&Shape::Text));

impl JsonForm for Obelics {
    const NAME: &'static str = "obelics";
    const SHAPE: Shape = Shape::Object(&[
        Field::optional("id", Shape::Text),
        Field::required("images", TEXTS),
        Field::required("texts", TEXTS),
        Field::optional(
            "metadata",
            Shape::Either(&[Shape::Text, Shape::List(&Shape::Any), Shape::Map(&Shape::Any)]),
        ),
    ]);

    fn check(&self) -> Result<(), Fault> {
        let fault = |field: String, expected: String, found: &str| {
            Err(Fault::field(FaultKind::Value, field, expected, found))
        };
        let (n_images, n_texts) = (self.images.len(), self.texts.len());
        if n_images != n_texts {
            let expected = format!("{n_images} items, as many as `images`");
            return fault("texts".to_owned(), expected, &format!("{n_texts} items"));
        }
        for (index, pair) in self.images.iter().zip(&self.texts).enumerate() {
            let found = match pair {
                (Some(_), Some(_)) => "both",
                (None, None) => "neither",
                _ => continue,
            };
            let expected = "either a picture or a text at each position".to_owned();
            return fault(format!("texts[{index}]"), expected, found);
        }
        Ok(())
    }
}

impl TryFrom<Obelics> for Interleaved {
    type Error = Fault;

    fn try_from(row: Obelics) -> Result<Self, Fault> {
        let about = match &row.metadata {
            Value::String(text) => serde_json::from_str(text).map_err(|_| {
                let expected = "a list in JSON";
                Fault::field(FaultKind::Value, "metadata", expected, describe(&row.metadata))
            })?,
            other => other.clone(),
        };
        let mut sample = Self { id: row.id, meta: row.extra, ..Self::default() };
        for (index, pair) in row.images.into_iter().zip(row.texts).enumerate() {
            match pair {
                (Some(source), _) => {
                    let about = about.get(index).unwrap_or(&Value::Null);
                    sample.parts.push(Part::Image(read_image(source, about)));
                }
                (None, text) => sample.push_text(&text.unwrap_or_default()),
            }
        }
        Ok(sample)
    }
}

fn read_image(source: String, about: &Value) -> Image {
    let pixels = |names: [&str; 2]| {
        let number = names.iter().find_map(|name| about.get(name)?.as_u64());
        number.and_then(|number| u32::try_from(number).ok())
    };
    let text = |name| about.get(name).and_then(Value::as_str).map(str::to_owned);
    Image {
        source,
        name: text("formatted_filename"),
        alt: text("alt_text").unwrap_or_default(),
        width: pixels(["original_width", "width"]),
        height: pixels(["original_height", "height"]),
        ..Image::default()
    }
}
