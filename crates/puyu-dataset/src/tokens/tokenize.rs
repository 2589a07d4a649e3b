//! Text to token ids on all cores, in order and with bounded memory.

use std::path::Path;

use puyu_text::Tokenizer;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::files::read_bounded;
use super::writer::CacheWriter;
use crate::error::DatasetError;
use crate::row::Fingerprint;

/// What names of special tokens inside of a text become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpecialInText {
    /// Text, always: a web page that says `<|im_end|>` must not end a turn.
    #[default]
    AsText,
    /// What the vocabulary file alone makes of them, as SentencePiece does.
    AsVocabulary,
    /// Special tokens. For texts of one's own only.
    Parse,
}

/// How text becomes tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenizeOptions {
    /// The field of a record that holds the text. `content`, as in WanJuan.
    ///
    /// Whoever makes the iterator of texts reads it; it is here because it decides the tokens and
    /// so belongs to the cache's key.
    pub field: String,
    /// Begin each document with the tokenizer's first token. On, as InternLM is trained.
    pub add_bos: bool,
    /// End each document with the tokenizer's last token. On: a model that never saw an end does
    /// not stop.
    pub add_eos: bool,
    /// What names of special tokens inside of a text become.
    pub special: SpecialInText,
    /// How much text is held in memory at a time, in bytes; about three times as much is used.
    ///
    /// 8 MiB: some thousand documents, enough to keep many cores busy. A single longer document is
    /// still read whole. Does not change the tokens.
    pub batch_bytes: usize,
}

impl Default for TokenizeOptions {
    fn default() -> Self {
        Self {
            field: "content".to_owned(),
            add_bos: true,
            add_eos: true,
            special: SpecialInText::AsText,
            batch_bytes: 8 << 20,
        }
    }
}

impl TokenizeOptions {
    /// What identifies the options: the same for options that give the same tokens.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = blake3::Hasher::new_derive_key("puyu-dataset tokenize options 1");
        let special = match self.special {
            SpecialInText::AsText => 0,
            SpecialInText::AsVocabulary => 1,
            SpecialInText::Parse => 2,
        };
        hasher.update(&[u8::from(self.add_bos), u8::from(self.add_eos), special]);
        hasher.update(self.field.as_bytes());
        Fingerprint(hasher.finalize().into())
    }
}

/// What was tokenised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TokenizeReport {
    /// Documents.
    pub documents: u64,
    /// Bytes of text.
    pub text_bytes: u64,
    /// Tokens, first and last ones included.
    pub tokens: u64,
}

impl std::fmt::Display for TokenizeReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { documents, text_bytes, tokens } = self;
        write!(f, "{documents} documents, {text_bytes} bytes, {tokens} tokens")?;
        if *tokens > 0 {
            write!(f, " ({:.2} bytes per token)", *text_bytes as f64 / *tokens as f64)?;
        }
        Ok(())
    }
}

/// Tokenises texts into a cache, on all threads of the current rayon pool.
///
/// Documents keep their order, whatever the number of threads. While one batch is encoded, the one
/// before is written and the next is read.
///
/// # Errors
///
/// The first error that `texts` yields (leave bad rows out beforehand to skip them),
/// [`DatasetError::Text`] for a text of more than 64 MiB, [`DatasetError::Option`] if a first or
/// last token is asked for that the tokenizer does not have, [`DatasetError::Io`].
///
/// # Examples
///
/// ```no_run
/// use puyu_dataset::Fingerprint;
/// use puyu_dataset::tokens::{
///     CacheIdentity, CacheWriter, TokenizeOptions, tokenize, tokenizer_fingerprint,
/// };
/// use puyu_text::Tokenizer;
///
/// let options = TokenizeOptions::default();
/// let tokenizer = Tokenizer::open("internlm2-1_8b")?;
/// let texts = ["床前明月光,疑是地上霜。", "Moonlight before my bed."];
/// let identity = CacheIdentity {
///     source: Fingerprint(*blake3::hash(texts.concat().as_bytes()).as_bytes()),
///     tokenizer: tokenizer_fingerprint("internlm2-1_8b")?,
///     options: options.fingerprint(),
/// };
/// let vocab_size = tokenizer.vocab_size() as u64;
/// let mut writer = CacheWriter::create(identity.key().to_string(), identity, vocab_size)?;
/// let report = tokenize(texts.into_iter().map(Ok), &tokenizer, &options, &mut writer)?;
/// println!("{report}");
/// let cache = writer.finish()?;
/// assert_eq!(cache.n_documents(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tokenize<I, T>(
    texts: I,
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
    writer: &mut CacheWriter,
) -> Result<TokenizeReport, DatasetError>
where
    I: Iterator<Item = Result<T, DatasetError>> + Send,
    T: AsRef<str> + Send + Sync,
{
    let encoder = Encoder::new(tokenizer, options)?;
    let mut texts = texts;
    let mut report = TokenizeReport::default();
    let mut batch = read_batch(&mut texts, options.batch_bytes)?;
    let mut encoded = Vec::new();
    while !batch.is_empty() || !encoded.is_empty() {
        let (now, next) = rayon::join(
            || batch.par_iter().map(|text| encoder.encode(text.as_ref())).collect(),
            || {
                write_batch(writer, &encoded, &mut report)?;
                read_batch(&mut texts, options.batch_bytes)
            },
        );
        report.text_bytes += batch.iter().map(|text| text.as_ref().len() as u64).sum::<u64>();
        let (now, next): (Result<Vec<Vec<u32>>, DatasetError>, _) = (now, next);
        encoded = now?;
        batch = next?;
    }
    Ok(report)
}

fn read_batch<T: AsRef<str>>(
    texts: &mut impl Iterator<Item = Result<T, DatasetError>>,
    batch_bytes: usize,
) -> Result<Vec<T>, DatasetError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for text in texts {
        let text = text?;
        // Empty texts count too, else a stream of them would fill the memory.
        bytes += text.as_ref().len() + size_of::<T>();
        batch.push(text);
        if bytes >= batch_bytes {
            break;
        }
    }
    Ok(batch)
}

fn write_batch(
    writer: &mut CacheWriter,
    documents: &[Vec<u32>],
    report: &mut TokenizeReport,
) -> Result<(), DatasetError> {
    for ids in documents {
        writer.push(ids)?;
        report.documents += 1;
        report.tokens += ids.len() as u64;
    }
    Ok(())
}

struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    special: SpecialInText,
    bos: Option<u32>,
    eos: Option<u32>,
}

impl<'a> Encoder<'a> {
    fn new(tokenizer: &'a Tokenizer, options: &TokenizeOptions) -> Result<Self, DatasetError> {
        let wanted = |option: &'static str, wanted: bool, id: Option<u32>| match (wanted, id) {
            (false, _) => Ok(None),
            (true, Some(id)) => Ok(Some(id)),
            (true, None) => Err(DatasetError::Option {
                option,
                expected: "false, as the tokenizer has no such token".to_owned(),
                found: "true".to_owned(),
            }),
        };
        Ok(Self {
            tokenizer,
            special: options.special,
            bos: wanted("add_bos", options.add_bos, tokenizer.bos_id())?,
            eos: wanted("add_eos", options.add_eos, tokenizer.eos_id())?,
        })
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, DatasetError> {
        let ids = match self.special {
            SpecialInText::AsText => self.tokenizer.encode_as_text(text)?,
            SpecialInText::AsVocabulary => self.tokenizer.encode(text)?,
            SpecialInText::Parse => self.tokenizer.encode_with_special(text)?,
        };
        Ok(self.bos.into_iter().chain(ids).chain(self.eos).collect())
    }
}

/// What identifies the tokenizer of a model folder or file: a hash over the files it is read from.
///
/// # Errors
///
/// [`DatasetError::Io`], [`DatasetError::Damaged`] for a file above 256 MiB.
pub fn tokenizer_fingerprint(path: impl AsRef<Path>) -> Result<Fingerprint, DatasetError> {
    const FILES: [&str; 5] = [
        "tokenizer.model",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
    ];
    const MAX_BYTES: u64 = 256 << 20;
    let path = path.as_ref();
    let mut hasher = blake3::Hasher::new_derive_key("puyu-dataset tokenizer 1");
    if path.is_file() {
        hasher.update(&read_bounded(path, MAX_BYTES)?);
        return Ok(Fingerprint(hasher.finalize().into()));
    }
    for name in FILES.iter().filter(|name| path.join(name).is_file()) {
        let bytes = read_bounded(&path.join(name), MAX_BYTES)?;
        hasher.update(name.as_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    // Asks the system for the folder, so that a wrong path is an error and not an empty tokenizer.
    std::fs::read_dir(path).map_err(DatasetError::io("read", path))?;
    Ok(Fingerprint(hasher.finalize().into()))
}
