//! Speed of encoding, beside the `tokenizers` crate with the same vocabulary.
//!
//! `cargo bench -p puyu-text` prints bytes of text in a second. Texts are cut into documents of
//! some four thousand bytes, which is what data sets hold. Without the shared models and texts
//! there is nothing to measure and nothing is.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::path::Path;

use divan::counter::BytesCount;
use divan::{Bencher, Divan};
use prost::Message;
use puyu_text::Tokenizer;
use tokenizers::models::bpe::{BPE, Merges};
use tokenizers::normalizers::Replace;
use tokenizers::{NormalizerWrapper, Tokenizer as Library};

/// Longest document, in bytes.
const DOCUMENT_BYTES: usize = 4096;

const MODELS: [&str; 2] = ["internlm2", "internlm"];

const TEXTS: [Text; 3] = [Text::English, Text::Chinese, Text::Mixed];

/// What is encoded.
#[derive(Debug, Clone, Copy)]
enum Text {
    English,
    Chinese,
    /// Documents of both by turns, and of a dozen more languages.
    Mixed,
}

fn main() {
    tokenizers::utils::parallelism::set_parallelism(false);
    Divan::from_args().main();
}

/// This crate, on one thread and on two.
#[divan::bench(consts = [0, 1], args = TEXTS, threads = [1, 2])]
fn puyu<const MODEL: usize>(bencher: Bencher<'_, '_>, text: Text) {
    let (Some(model), Some(documents)) = (model_file(MODELS[MODEL]), documents(text)) else {
        return;
    };
    let tokenizer = Tokenizer::from_sentencepiece_file(model).expect("the shared model is sound");
    bencher.counter(bytes_of(&documents)).bench(|| {
        let mut ids = Vec::new();
        for document in &documents {
            ids.clear();
            tokenizer.encode_into(document, &mut ids).expect("documents are short");
            divan::black_box(&ids);
        }
    });
}

/// The `tokenizers` crate on one thread.
#[divan::bench(args = TEXTS, sample_count = 5)]
fn library(bencher: Bencher<'_, '_>, text: Text) {
    let (Some(model), Some(documents)) = (model_file(MODELS[0]), documents(text)) else { return };
    let library = library_with(&std::fs::read(model).expect("the shared model can be read"));
    bencher.counter(bytes_of(&documents)).bench(|| {
        let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
        library.encode_batch(documents, false).expect("documents can be encoded")
    });
}

/// Opening a model, with the tables that encoding needs.
#[divan::bench(args = MODELS)]
fn open(bencher: Bencher<'_, '_>, model: &str) {
    let Some(model) = model_file(model) else { return };
    let bytes = std::fs::read(model).expect("the shared model can be read");
    bencher.bench(|| Tokenizer::from_sentencepiece_bytes(&bytes).expect("the model is sound"));
}

fn model_file(model: &str) -> Option<std::path::PathBuf> {
    Some(puyu_testkit::shared("fixtures/tokenizers")?.join(model).join("tokenizer.model"))
}

fn bytes_of(documents: &[String]) -> BytesCount {
    BytesCount::new(documents.iter().map(String::len).sum::<usize>())
}

fn documents(text: Text) -> Option<Vec<String>> {
    let folder = puyu_testkit::shared("corpus/text")?;
    let (english, chinese) =
        (|| documents_in(&folder.join("en")), || documents_in(&folder.join("zh")));
    Some(match text {
        Text::English => english(),
        Text::Chinese => chinese(),
        Text::Mixed => {
            let turns = english().into_iter().zip(chinese());
            let mut all: Vec<_> = turns.flat_map(|(english, chinese)| [english, chinese]).collect();
            all.extend(documents_in(&folder.join("langid")));
            all
        }
    })
}

/// The text files of a folder, cut into documents.
fn documents_in(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("the folder of texts can be listed");
    let mut files: Vec<_> =
        files.map(|file| file.expect("the folder can be listed").path()).collect();
    files.sort();
    let mut documents = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("texts can be read");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (document, after) = rest.split_at(rest.floor_char_boundary(DOCUMENT_BYTES));
            documents.push(document.to_owned());
            rest = after;
        }
    }
    documents
}

/// What of a `tokenizer.model` the library needs.
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

/// The library with the vocabulary of a SentencePiece model, converted as `transformers` does.
fn library_with(bytes: &[u8]) -> Library {
    let pieces = Model::decode(bytes).expect("the shared model is sound").pieces;
    let ids: HashMap<String, u32> =
        (0..).zip(&pieces).map(|(id, piece)| (piece.text().to_owned(), id)).collect();
    let mut merges = Vec::new();
    for piece in pieces.iter().filter(|piece| piece.kind.unwrap_or(1) == 1) {
        for (at, _) in piece.text().char_indices().skip(1) {
            let (left, right) = piece.text().split_at(at);
            if let (Some(&left_id), Some(&right_id)) = (ids.get(left), ids.get(right)) {
                merges.push((piece.score(), (left_id, right_id), (left, right)));
            }
        }
    }
    merges.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let merges: Merges = merges
        .into_iter()
        .map(|(_, _, (left, right))| (left.to_owned(), right.to_owned()))
        .collect();
    let vocabulary: tokenizers::models::bpe::Vocab = ids.into_iter().collect();
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .unk_token("<unk>".to_owned())
        .fuse_unk(true)
        .byte_fallback(true)
        .build()
        .expect("both halves of every merge are pieces");
    let mut library = Library::new(model);
    let marks = Replace::new(" ", "\u{2581}").expect("a plain string is a valid pattern");
    library
        .with_normalizer(Some(NormalizerWrapper::Replace(marks)))
        .expect("there are no added tokens to normalize");
    library
}
