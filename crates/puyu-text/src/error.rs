//! Errors of this crate. Each variant carries what was found and what was expected.

use std::path::PathBuf;

use puyu_core::{MessageError, Role};

/// What can go wrong with a tokenizer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// A file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is larger than any honest file of its kind.
    #[error("{what} has more than {limit} bytes")]
    FileTooLarge {
        /// The file, or what it is where it has no path.
        what: String,
        /// The largest size accepted, in bytes.
        limit: u64,
    },
    /// A folder holds no tokenizer.
    #[error("{} has neither `tokenizer.model` nor `tokenizer.json`", path.display())]
    NoTokenizer {
        /// The folder.
        path: PathBuf,
    },
    /// A file of settings is not the JSON expected.
    #[error("{} is not valid JSON of its kind", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A file of a folder is at fault.
    #[error("{} is no usable tokenizer", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<TextError>,
    },
    /// The bytes are no SentencePiece model.
    #[error("the SentencePiece model is damaged")]
    DamagedModel(#[source] prost::DecodeError),
    /// The SentencePiece model asks for something that is not supported here.
    #[error("the SentencePiece model has {what} `{found}`, only {expected} is supported")]
    Unsupported {
        /// What is not supported.
        what: &'static str,
        /// Its value in the file.
        found: String,
        /// What is supported.
        expected: &'static str,
    },
    /// The tokenizer has too many pieces, or too much of something.
    #[error("the tokenizer has more than {limit} {what}")]
    ModelTooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The most accepted.
        limit: usize,
    },
    /// A piece of the SentencePiece model breaks a rule of the format.
    #[error("piece {id} `{piece}` of the SentencePiece model {problem}")]
    BadPiece {
        /// Its token id.
        id: u32,
        /// Its text.
        piece: String,
        /// What is wrong.
        problem: PieceProblem,
    },
    /// The SentencePiece model lacks a piece that it needs.
    #[error("the SentencePiece model has no {what}")]
    MissingPiece {
        /// The piece.
        what: String,
    },
    /// `tokenizer.json` cannot be used.
    #[error("the tokenizer file of Hugging Face is damaged or not supported")]
    HuggingFace(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A text could not be encoded or ids could not be decoded by a tokenizer of Hugging Face.
    #[error("the tokenizer of Hugging Face failed")]
    HuggingFaceRun(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Two files, or two lines of one, disagree about an added token.
    #[error(
        "added token `{content}` has id {found}, but that id or text already stands for id {id}, `{text}`"
    )]
    AddedTokenConflict {
        /// Text of the added token.
        content: String,
        /// Its id.
        found: u32,
        /// The id that was there first.
        id: u32,
        /// The text that was there first.
        text: String,
    },
    /// The key of an added token is no token id.
    #[error("added token `{content}` has id `{found}`, expected a whole number up to {limit}")]
    BadAddedTokenId {
        /// Text of the added token.
        content: String,
        /// Its id as written.
        found: String,
        /// The largest id accepted.
        limit: u32,
    },
    /// A token id outside of the vocabulary.
    #[error("token id {id} is not in the vocabulary of {vocab_size} ids")]
    UnknownId {
        /// The id.
        id: u32,
        /// Ids from 0 up to here exist, but for gaps.
        vocab_size: usize,
    },
    /// A text too long to encode in one call.
    #[error("the text has {bytes} bytes, at most {limit} can be encoded in one call")]
    TextTooLong {
        /// Its length, in bytes.
        bytes: usize,
        /// The longest accepted, in bytes.
        limit: usize,
    },
    /// The decoder of `tokenizer.json` changes text that was already given out.
    #[error("token id {id} changes text that was already decoded, so it cannot be streamed")]
    UnstableDecode {
        /// The id that changed it.
        id: u32,
    },
}

/// What can be wrong with one piece of a SentencePiece model.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PieceProblem {
    /// No text.
    #[error("is empty")]
    Empty,
    /// The text of an earlier piece.
    #[error("repeats piece {first}")]
    Duplicate {
        /// The earlier piece.
        first: u32,
    },
    /// A score that cannot be ordered.
    #[error("has score {found}, expected a finite number")]
    Score {
        /// The score.
        found: f32,
    },
    /// A type that the format does not define.
    #[error("has type {found}, expected 1 to 6")]
    Type {
        /// The type.
        found: i32,
    },
    /// More than one piece for unknown characters.
    #[error("is unknown like piece {first}, expected one unknown piece")]
    SecondUnknown {
        /// The first one.
        first: u32,
    },
    /// A byte piece that does not name its byte.
    #[error("is a byte piece, expected a name from <0x00> to <0xFF>")]
    ByteName,
}

/// What can go wrong while a chat template is chosen or rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The tokenizer, or a file beside it.
    #[error(transparent)]
    Text(#[from] TextError),
    /// No template fits the model.
    #[error("no chat template for model type `{model_type}` and none in the folder")]
    NoTemplate {
        /// `model_type` of `config.json`, or empty where there is none.
        model_type: String,
    },
    /// A role that the template has no words for.
    #[error("message {index} has role {role}, which the {template} template does not know")]
    UnsupportedRole {
        /// Which message, from 0.
        index: usize,
        /// Its role.
        role: Role,
        /// The template.
        template: &'static str,
    },
    /// Tools with a template that has no words for them.
    #[error("the {template} template has no words for tools, found {found} of them")]
    UnsupportedTools {
        /// The template.
        template: &'static str,
        /// The number of tools.
        found: usize,
    },
    /// A picture or another part that the template has no words for.
    #[error(
        "message {index} has a part that is not text, which the {template} template cannot say"
    )]
    UnsupportedContent {
        /// Which message, from 0.
        index: usize,
        /// The template.
        template: &'static str,
    },
    /// A tool call whose arguments are not JSON.
    #[error("message {index} has a tool call that cannot be rendered")]
    ToolCall {
        /// Which message, from 0.
        index: usize,
        /// Why.
        source: MessageError,
    },
    /// The model wrote a tool call that cannot be read.
    #[error("the model wrote a damaged tool call: `{text}`")]
    DamagedToolCall {
        /// What it wrote, cut to its first characters.
        text: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The model wrote a tool call without the name of the tool.
    #[error("the model wrote a tool call without a name: `{text}`")]
    NamelessToolCall {
        /// What it wrote, cut to its first characters.
        text: String,
    },
    /// The template is longer than any honest one.
    #[error("the chat template has {bytes} bytes, at most {limit} are accepted")]
    TemplateTooLarge {
        /// Its length, in bytes.
        bytes: usize,
        /// The longest accepted, in bytes.
        limit: usize,
    },
    /// The template is not valid Jinja.
    #[error("the chat template cannot be compiled")]
    Compile(#[source] Box<minijinja::Error>),
    /// The template failed.
    #[error("the chat template failed")]
    Render(#[source] Box<minijinja::Error>),
    /// The template refused the messages by `raise_exception`.
    #[error("the chat template refuses the messages: {message}")]
    Refused {
        /// What it said.
        message: String,
    },
    /// The template does not come to an end, or wants too much memory.
    #[error("the chat template used up its {fuel} units of work")]
    OutOfFuel {
        /// What it had.
        fuel: u64,
    },
    /// The system grants no thread to run the template on.
    #[error("cannot start a thread for the chat template")]
    NoThread(#[source] std::io::Error),
    /// The prompt is too long.
    #[error("the chat template wrote more than {limit} bytes")]
    OutputTooLarge {
        /// The longest accepted, in bytes.
        limit: usize,
    },
    /// The template asks for the time, which the caller did not give.
    #[error("the chat template asks for the time, but the options give none")]
    NoTime,
    /// A date or time that no calendar has.
    #[error("{field} {found} is not on the calendar")]
    BadTime {
        /// Which part.
        field: &'static str,
        /// Its value.
        found: i32,
    },
    /// The messages use up every character that could mark their text.
    #[error("the messages hold all private characters, none is left to mark their text")]
    NoFreeMark,
    /// Messages or options that cannot be given to a template.
    #[error("the messages cannot be handed to the template")]
    Values(#[source] serde_json::Error),
}
