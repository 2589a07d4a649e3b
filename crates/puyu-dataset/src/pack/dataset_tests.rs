//! Rows as the model takes them, against the definition.

use std::path::Path;

use proptest::prelude::*;
use puyu_testkit::TempDir;

use super::*;
use crate::error::DatasetError;
use crate::row::{Fingerprint, RowSource};
use crate::tokens::{CacheIdentity, CacheWriter, Document, TokenCache};

const PAD: u32 = 99_999;

/// Caches with these documents, one folder for each.
fn caches(folder: &Path, documents: &[Vec<Document>]) -> Vec<TokenCache> {
    let none = Fingerprint([0; 32]);
    let identity = CacheIdentity { source: none, tokenizer: none, options: none };
    let write = |(index, documents): (usize, &Vec<Document>)| {
        let target = folder.join(format!("缓存-{index}"));
        // Both widths of ids.
        let vocab_size = if index % 2 == 0 { 92_544 } else { 60_000 };
        let mut writer = CacheWriter::create(target, identity, vocab_size).unwrap();
        documents.iter().for_each(|document| writer.push_document(document).unwrap());
        writer.finish().unwrap()
    };
    documents.iter().enumerate().map(write).collect()
}

/// One token as the definition sees it.
#[derive(Clone, Copy)]
struct Token {
    id: u32,
    trained: bool,
}

/// The row of these pieces by the definition: token by token, no tricks.
fn naive(pieces: &[&[Token]], pack_tokens: usize) -> PackedSample {
    let mut row = PackedSample {
        input_ids: Vec::new(),
        labels: Vec::new(),
        position_ids: Vec::new(),
        cu_seqlens: vec![0],
        n_trained: 0,
    };
    for piece in pieces {
        for place in 0..piece.len() {
            row.input_ids.push(piece[place].id);
            row.position_ids.push(place as u32);
            let label = match piece.get(place + 1) {
                Some(next) if next.trained => i64::from(next.id),
                _ => -100,
            };
            row.labels.push(label);
            row.n_trained += u32::from(label != -100);
        }
        row.cu_seqlens.push(row.input_ids.len() as u32);
    }
    if row.input_ids.len() < pack_tokens {
        for place in 0..pack_tokens - row.input_ids.len() {
            row.input_ids.push(PAD);
            row.position_ids.push(place as u32);
            row.labels.push(-100);
        }
        row.cu_seqlens.push(pack_tokens as u32);
    }
    row
}

fn any_caches() -> impl Strategy<Value = Vec<Vec<Document>>> {
    let token = (0_u32..60_000, any::<bool>());
    let document =
        (prop::collection::vec(token, 0..30), any::<bool>()).prop_map(|(tokens, with_marks)| {
            let (ids, trained): (Vec<u32>, Vec<bool>) = tokens.into_iter().unzip();
            Document { ids, trained: with_marks.then_some(trained) }
        });
    prop::collection::vec(prop::collection::vec(document, 0..10), 0..4)
}

proptest! {
    // Each case waits for the disk several times.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_are_those_of_the_definition(
        documents in any_caches(),
        pack_tokens in 1_u32..40,
        method in prop::sample::select(
            vec![PackMethod::None, PackMethod::Concat, PackMethod::BestFit],
        ),
    ) {
        let folder = TempDir::new().unwrap();
        let caches = caches(folder.path(), &documents);
        let options = PackOptions { pack_tokens, method, ..PackOptions::default() };
        let plan = PackPlan::for_caches(&caches, &options).unwrap();
        let dataset = TokenDataset::new(caches, plan.clone(), PAD).unwrap();
        let stream: Vec<Token> = documents
            .iter()
            .flatten()
            .flat_map(|document| {
                document.ids.iter().enumerate().map(|(place, &id)| {
                    let trained = document.trained.as_ref().is_none_or(|marks| marks[place]);
                    Token { id, trained }
                })
            })
            .collect();
        let rows = dataset.read(0..dataset.n_rows()).unwrap();
        prop_assert_eq!(rows.len() as u64, plan.n_packs());
        for (index, row) in rows.iter().enumerate() {
            let pieces: Vec<&[Token]> = plan
                .pack(index as u64)
                .map(|piece| &stream[piece.span().start as usize..piece.span().end as usize])
                .collect();
            prop_assert_eq!(row, &naive(&pieces, pack_tokens as usize));
            prop_assert_eq!(&dataset.read(index as u64..index as u64 + 1).unwrap()[0], row);
        }
    }
}

fn plain(ids: &[u32]) -> Document {
    Document { ids: ids.to_vec(), trained: None }
}

#[test]
fn a_prompt_is_read_but_not_trained() {
    let folder = TempDir::new().unwrap();
    let document = Document {
        ids: vec![1, 10, 11, 20, 21],
        trained: Some(vec![false, false, false, true, true]),
    };
    let caches = caches(folder.path(), &[vec![document]]);
    let options = PackOptions { pack_tokens: 6, ..PackOptions::default() };
    let plan = PackPlan::for_caches(&caches, &options).unwrap();
    let row = TokenDataset::new(caches, plan, 0).unwrap().read(0..1).unwrap().remove(0);
    assert_eq!(row.input_ids, [1, 10, 11, 20, 21, 0]);
    assert_eq!(row.labels, [-100, -100, 20, 21, -100, -100]);
    assert_eq!(row.n_trained, 2);
}

#[test]
fn a_plan_for_other_documents_is_refused() {
    let folder = TempDir::new().unwrap();
    let caches = caches(folder.path(), &[vec![plain(&[1, 2]), plain(&[3])]]);
    for lengths in [vec![1, 2], vec![3], vec![2, 1, 0], vec![]] {
        let plan = PackPlan::build(lengths, &PackOptions::default()).unwrap();
        let error = TokenDataset::new(caches.clone(), plan, 0).unwrap_err();
        assert!(matches!(error, DatasetError::State { .. }), "{error}");
    }
}

#[test]
fn reading_past_the_last_row_is_an_error() {
    let folder = TempDir::new().unwrap();
    let caches = caches(folder.path(), &[vec![plain(&[1, 2])]]);
    let plan = PackPlan::for_caches(&caches, &PackOptions::default()).unwrap();
    let dataset = TokenDataset::new(caches, plan, 0).unwrap();
    assert_eq!(dataset.read(1..1).unwrap(), []);
    let error = dataset.read(0..2).unwrap_err().to_string();
    assert_eq!(error, "reading rows 0 to 2 needs 2, the limit is 1");
}

#[test]
fn tokens_plan_and_padding_decide_the_fingerprint() {
    let of = |ids: &[u32], pack_tokens: u32, pad_id: u32| {
        let folder = TempDir::new().unwrap();
        let caches = caches(folder.path(), &[vec![plain(ids)]]);
        let options = PackOptions { pack_tokens, ..PackOptions::default() };
        let plan = PackPlan::for_caches(&caches, &options).unwrap();
        TokenDataset::new(caches, plan, pad_id).unwrap().fingerprint()
    };
    let first = of(&[1, 2], 8, 0);
    assert_eq!(of(&[1, 2], 8, 0), first);
    assert_ne!(of(&[1, 3], 8, 0), first);
    assert_ne!(of(&[1, 2], 9, 0), first);
    assert_ne!(of(&[1, 2], 8, 1), first);
}
