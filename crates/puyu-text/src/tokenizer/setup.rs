//! How a tokenizer file and the settings beside it become one [`Tokenizer`].

use std::sync::Arc;

use super::folder::Settings;
use super::{Inner, Model, SpecialToken, TokenRoles, Tokenizer};
use crate::added::{AddedToken, AddedTokens, Edges};
use crate::error::TextError;
use crate::hugging_face::HuggingFace;
use crate::sentencepiece::SentencePiece;
use crate::sentencepiece::vocabulary::PieceKind;

/// User-defined pieces that hold InternLM's chats together. A `tokenizer.model` alone does not tell
/// them from user-defined pieces that are words.
const CHAT_MARKERS: [&str; 8] = [
    "<eoh>",
    "<eoa>",
    "<|im_start|>",
    "<|im_end|>",
    "<|action_start|>",
    "<|action_end|>",
    "<|interpreter|>",
    "<|plugin|>",
];

impl Tokenizer {
    pub(super) fn with_sentencepiece(
        model: SentencePiece,
        settings: &Settings,
    ) -> Result<Self, TextError> {
        let vocabulary = model.vocabulary();
        let mut added = AddedTokens::new();
        for (id, piece) in vocabulary.pieces() {
            let is_special = match piece.kind {
                PieceKind::Control | PieceKind::Unknown => true,
                PieceKind::UserDefined => CHAT_MARKERS.contains(&&*piece.text),
                _ => false,
            };
            if is_special {
                added.add(special_token(&piece.text, id))?;
            }
        }
        for token in &settings.added {
            added.add(token.clone())?;
        }
        for name in named(settings) {
            let known = added.by_content(name).map(|token| token.id);
            let next = next_id(vocabulary.len(), &added);
            let id = known.or_else(|| vocabulary.id_of(name)).unwrap_or(next);
            let edges = added.by_content(name).map_or(Edges::default(), |token| token.edges);
            added.add(AddedToken { edges, ..special_token(name, id) })?;
        }
        let id_of = |name: &Option<String>| {
            let name = name.as_deref()?;
            added.by_content(name).map(|token| token.id)
        };
        let roles = TokenRoles {
            bos: id_of(&settings.bos).or(model.bos()),
            eos: id_of(&settings.eos).or(model.eos()),
            unk: id_of(&settings.unk).or(Some(vocabulary.unknown())),
            pad: id_of(&settings.pad).or(model.pad()),
            // The models of this family are trained with <s> before every text.
            adds_bos: settings.adds_bos.unwrap_or(true),
        };
        let vocab_size = next_id(vocabulary.len(), &added) as usize;
        Ok(Self::assemble(Model::SentencePiece(Box::new(model)), added, roles, vocab_size))
    }

    pub(super) fn with_hugging_face(
        mut library: HuggingFace,
        settings: &Settings,
    ) -> Result<Self, TextError> {
        let known = library.added();
        let missing: Vec<AddedToken> =
            settings.added.iter().filter(|token| !known.contains(token)).cloned().collect();
        library.add(&missing)?;
        for name in named(settings) {
            let next = library.vocab_size() as u32;
            let id = library.piece_to_id(name).unwrap_or(next);
            let is_special = library.added().iter().any(|token| token.id == id && token.is_special);
            if !is_special {
                library.add(&[special_token(name, id)])?;
            }
        }
        let mut added = AddedTokens::new();
        for token in library.added() {
            added.add(token)?;
        }
        let id_of = |name: &Option<String>, default: &str| match name {
            Some(name) => library.piece_to_id(name),
            None => {
                added.by_content(default).filter(|token| token.is_special).map(|token| token.id)
            }
        };
        let bos = id_of(&settings.bos, "<s>");
        let roles = TokenRoles {
            bos,
            eos: id_of(&settings.eos, "</s>"),
            unk: id_of(&settings.unk, "<unk>"),
            pad: id_of(&settings.pad, "<pad>"),
            adds_bos: settings
                .adds_bos
                .unwrap_or_else(|| bos.is_some_and(|bos| library.starts_texts_with(bos))),
        };
        let vocab_size = library.vocab_size();
        Ok(Self::assemble(Model::HuggingFace(Box::new(library)), added, roles, vocab_size))
    }

    fn assemble(model: Model, added: AddedTokens, roles: TokenRoles, vocab_size: usize) -> Self {
        let mut special: Vec<SpecialToken> = added
            .special()
            .map(|token| SpecialToken { content: token.content.clone(), id: token.id })
            .collect();
        special.sort_by_key(|token| token.id);
        let special_ids = special.iter().map(|token| token.id).collect();
        let inner = Inner { model, added, special, special_ids, roles, vocab_size };
        Self { inner: Arc::new(inner) }
    }
}

fn special_token(content: &str, id: u32) -> AddedToken {
    let edges = Edges::default();
    AddedToken { content: content.to_owned(), id, is_special: true, edges }
}

/// All special tokens that the settings name without an id.
fn named(settings: &Settings) -> impl Iterator<Item = &str> {
    let roles = [&settings.bos, &settings.eos, &settings.unk, &settings.pad];
    let roles = roles.into_iter().flatten();
    roles.chain(&settings.special_names).map(String::as_str).filter(|name| !name.is_empty())
}

fn next_id(n_pieces: usize, added: &AddedTokens) -> u32 {
    let after_added = added.max_id().map_or(0, |id| id + 1);
    after_added.max(n_pieces as u32)
}
