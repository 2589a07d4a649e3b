//! MinerU's `content_list`: the blocks of a document in reading order.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Image, Interleaved, Part};
use crate::record::engine::{Field, JsonForm, Shape};

/// A document as MinerU's `*_content_list.json` has it: a list of blocks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentList {
    /// The blocks, in reading order.
    pub blocks: Vec<ContentBlock>,
}

/// One block of a [`ContentList`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContentBlock {
    /// `text`, `image`, `table`, `chart`, `equation`, `code`, `list`, `header`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The text; of equations LaTeX.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Makes the text a heading: 1 is the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_level: Option<u64>,
    /// The picture cut out of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub img_path: Option<String>,
    /// The table in HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_body: Option<String>,
    /// The program text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_body: Option<String>,
    /// The items of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_items: Option<Vec<String>>,
    /// Left, top, right, bottom in thousandths of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bbox: Option<[f64; 4]>,
    /// The page, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_idx: Option<u32>,
    /// All other fields, such as `image_caption`, a list of texts.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

const TEXTS: Shape = Shape::List(&Shape::Text);

const BLOCK: Shape = Shape::Object(&[
    Field::required("type", Shape::Text),
    Field::optional("text", Shape::Text),
    Field::optional("text_level", Shape::Count),
    Field::optional("img_path", Shape::Text),
    Field::optional("table_body", Shape::Text),
    Field::optional("code_body", Shape::Text),
    Field::optional("list_items", TEXTS),
    Field::optional("bbox", Shape::List(&Shape::Number)),
    Field::optional("page_idx", Shape::Pixels),
]);

impl JsonForm for ContentList {
    const NAME: &'static str = "mineru";
    const SHAPE: Shape = Shape::List(&BLOCK);
}

impl ContentBlock {
    /// `image_caption`, `table_caption`, `code_caption`, … whichever the block has.
    fn texts(&self, what: &str) -> Vec<&str> {
        match self.extra.get(&format!("{}_{what}", self.kind)) {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(text)) => vec![text],
            _ => Vec::new(),
        }
    }

    fn image(&self) -> Option<Image> {
        let source = self.img_path.clone().filter(|path| !path.is_empty())?;
        Some(Image {
            source,
            caption: self.texts("caption").join("\n"),
            page: self.page_idx,
            bbox: self.bbox,
            ..Image::default()
        })
    }

    /// What was recognised, in Markdown.
    fn recognised(&self) -> Option<String> {
        let text = self.text.as_deref().unwrap_or_default();
        let body = match self.kind.as_str() {
            "table" => self.table_body.clone().unwrap_or_default(),
            "code" => match self.code_body.as_deref() {
                Some(code) if code.starts_with("```") => code.to_owned(),
                Some(code) => format!("```\n{code}\n```"),
                None => String::new(),
            },
            "list" => match &self.list_items {
                Some(items) => items.join("\n"),
                None => text.to_owned(),
            },
            "image" | "chart" => String::new(),
            _ => match self.text_level {
                Some(level @ 1..) if !text.is_empty() => {
                    format!("{} {text}", "#".repeat(level.min(6) as usize))
                }
                _ => text.to_owned(),
            },
        };
        Some(body).filter(|body| !body.is_empty())
    }
}

/// Blocks are paragraphs in Markdown, with an empty line between.
///
/// Headings get `#`, tables are HTML, equations LaTeX, code is fenced, each with its captions
/// above and its footnotes below. The cut-out picture stands for pictures, charts and whatever was
/// not recognised. Headers, footers and page numbers, which MinerU keeps apart, are left out.
impl From<ContentList> for Interleaved {
    fn from(list: ContentList) -> Self {
        const FURNITURE: [&str; 5] =
            ["header", "footer", "page_number", "aside_text", "page_footnote"];
        let mut sample = Self::default();
        for block in list.blocks.iter().filter(|b| !FURNITURE.contains(&b.kind.as_str())) {
            let image = block.image();
            let mut paragraphs = Vec::new();
            match (block.recognised(), image) {
                (Some(body), _) => {
                    paragraphs.extend(block.texts("caption").into_iter().map(Part::text));
                    paragraphs.push(Part::Text { text: body });
                }
                (None, Some(image)) => paragraphs.push(Part::Image(image)),
                (None, None) => {}
            }
            paragraphs.extend(block.texts("footnote").into_iter().map(Part::text));
            for paragraph in paragraphs {
                if !sample.parts.is_empty() {
                    sample.push_text("\n\n");
                }
                sample.parts.push(paragraph);
            }
        }
        sample
    }
}
