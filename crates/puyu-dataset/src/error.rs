//! What can go wrong with data.

use std::path::{Path, PathBuf};

use crate::fault::BadRow;

/// What can go wrong while data is read, ordered, tokenised, packed or cleaned.
///
/// One row that cannot be read is a [`BadRow`]; it becomes this error only where the policy is to
/// fail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The system refused a file or folder.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: `open`, `read`, `write`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why the system refused.
        source: std::io::Error,
    },

    /// A row that cannot be read, where the policy is to fail.
    #[error(transparent)]
    BadRow(Box<BadRow>),

    /// A file that is none of the known containers.
    #[error("{} is no known container: it begins with {found}; expected {expected}", path.display())]
    UnknownContainer {
        /// The file.
        path: PathBuf,
        /// The containers that would have been understood.
        expected: &'static str,
        /// The first bytes, readable.
        found: String,
    },

    /// A file that breaks the rules of its own format before its first row.
    #[error("{} is not a readable {format} file", path.display())]
    Container {
        /// The file.
        path: PathBuf,
        /// The name of the format.
        format: &'static str,
        /// What its reader said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A file of our own making whose content contradicts itself.
    #[error("{} is damaged: {what}: expected {expected}, found {found}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The part that is wrong.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },

    /// A column that a form needs.
    #[error("{} has no column `{column}`; it has {found:?}", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The columns of the file.
        found: Vec<String>,
    },

    /// Something that this build or this version does not do.
    #[error("{}: {what} is not supported; {hint}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it would need.
        what: String,
        /// What the user can do.
        hint: String,
    },

    /// An option that makes no sense, alone or with the others.
    #[error("option `{option}`: expected {expected}, found {found}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The values that make sense.
        expected: String,
        /// The value given.
        found: String,
    },

    /// A saved state that belongs to other data or other settings.
    #[error("the saved state does not fit: {what}: expected {expected}, found {found}")]
    State {
        /// What differs.
        what: &'static str,
        /// What this run has.
        expected: String,
        /// What the state says.
        found: String,
    },

    /// A limit that the caller set was reached.
    #[error("{what} needs {needed}, the limit is {limit}")]
    Limit {
        /// What hit the limit.
        what: String,
        /// What it needs, with its unit.
        needed: u64,
        /// The limit, in the same unit.
        limit: u64,
    },

    /// A classifier that did not score the texts it was given.
    #[error("classifier `{classifier}` gave no scores")]
    Classifier {
        /// Its name.
        classifier: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The tokenizer refused.
    #[error(transparent)]
    Text(#[from] puyu_text::TextError),
}

impl DatasetError {
    /// Wraps an input/output error with what was tried on which path.
    ///
    /// ```
    /// use puyu_dataset::DatasetError;
    ///
    /// let opened = std::fs::File::open("没有.jsonl")
    ///     .map_err(DatasetError::io("open", "没有.jsonl"));
    /// assert_eq!(opened.unwrap_err().to_string(), "cannot open 没有.jsonl");
    /// ```
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// The message and those of all causes, on one line.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl From<BadRow> for DatasetError {
    fn from(row: BadRow) -> Self {
        Self::BadRow(Box::new(row))
    }
}
