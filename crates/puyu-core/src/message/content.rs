//! What a message is made of: text, pictures, videos, sound.

use serde::{Deserialize, Serialize};

/// One piece of a message's content, tagged by `type` on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContentPart {
    /// Text.
    Text {
        /// The text itself.
        text: String,
    },
    /// A picture.
    ImageUrl {
        /// Where it is.
        image_url: ImageUrl,
    },
    /// A video.
    VideoUrl {
        /// Where it is.
        video_url: VideoUrl,
    },
    /// A sound, carried in the message itself.
    InputAudio {
        /// The sound.
        input_audio: InputAudio,
    },
}

impl ContentPart {
    /// Makes a text part.
    pub fn text(text: impl Into<String>) -> Self {
        ContentPart::Text { text: text.into() }
    }

    /// Makes a picture part from an `https:`, `file:` or `data:` address.
    pub fn image_url(url: impl Into<String>) -> Self {
        ContentPart::ImageUrl { image_url: ImageUrl { url: url.into(), detail: None } }
    }

    /// The text, if this part is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            ContentPart::Text { text } => Some(text),
            _ => None,
        }
    }
}

/// Address of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageUrl {
    /// An `https:`, `file:` or `data:` address. Whether it may be opened is the reader's decision.
    pub url: String,
    /// How closely to look: `low`, `high` or `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Address of a video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoUrl {
    /// An `https:`, `file:` or `data:` address. Whether it may be opened is the reader's decision.
    pub url: String,
}

/// A sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputAudio {
    /// The file's bytes in base64.
    pub data: String,
    /// The file's format, such as `wav` or `mp3`.
    pub format: String,
}
