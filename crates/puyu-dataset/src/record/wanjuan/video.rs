//! Descriptions of videos.

use serde::{Deserialize, Serialize};

use super::check_id;
use crate::fault::{Fault, FaultKind};
use crate::record::engine::{Field, JsonForm, Shape, objects_or_none};

/// A video with what is known about it in words.
///
/// WanJuan 1.0 has videos of 11 categories but publishes no record form for them, so this one is
/// ours: one JSON object per video, times in milliseconds.
///
/// # Examples
///
/// ```
/// use puyu_dataset::record::VideoDescription;
/// use puyu_dataset::{RawRow, Record};
///
/// let row = r#"{"id": "BkVideo01", "video": "军事/0001.mp4", "duration_ms": 9000,
///     "captions": [{"start_ms": 0, "end_ms": 4000, "text": "一架飞机起飞。"}]}"#;
/// let video = VideoDescription::decode(RawRow::Json(row.as_bytes()))?;
/// assert_eq!(video.captions[0].end_ms, 4000);
/// # Ok::<(), puyu_dataset::Fault>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoDescription {
    /// Names the video. Not empty.
    pub id: String,
    /// The file, relative to the data's folder, or its address.
    pub video: String,
    /// The title of the programme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// One of the set's categories, such as `军事` or `美食`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The language's code, such as `zh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How long it is, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What the whole video shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What is shown or said when, by start.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "objects_or_none")]
    pub captions: Vec<VideoCaption>,
}

/// What a stretch of a video shows, or what is said in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoCaption {
    /// First millisecond.
    pub start_ms: u64,
    /// The millisecond after the last; not before `start_ms`.
    pub end_ms: u64,
    /// The words.
    pub text: String,
}

const CAPTION: Shape = Shape::Object(&[
    Field::required("start_ms", Shape::Count),
    Field::required("end_ms", Shape::Count),
    Field::required("text", Shape::Text),
]);

impl JsonForm for VideoDescription {
    const NAME: &'static str = "wanjuan-video";
    const SHAPE: Shape = Shape::Object(&[
        Field::required("id", Shape::Text),
        Field::required("video", Shape::Text),
        Field::optional("title", Shape::Text),
        Field::optional("category", Shape::Text),
        Field::optional("language", Shape::Text),
        Field::optional("duration_ms", Shape::Count),
        Field::optional("description", Shape::Text),
        Field::optional("captions", Shape::List(&CAPTION)),
    ]);

    fn check(&self) -> Result<(), Fault> {
        check_id(&self.id)?;
        let limit = self.duration_ms.unwrap_or(u64::MAX);
        for (index, caption) in self.captions.iter().enumerate() {
            if caption.end_ms < caption.start_ms || caption.end_ms > limit {
                return Err(Fault::field(
                    FaultKind::Value,
                    format!("captions[{index}].end_ms"),
                    format!("{} to {limit}", caption.start_ms),
                    format!("the number {}", caption.end_ms),
                ));
            }
        }
        Ok(())
    }
}
