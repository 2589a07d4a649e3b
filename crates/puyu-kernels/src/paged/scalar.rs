//! The definition. Only the tests have it: [`super::portable`] runs where there is nothing better.

use super::attention::Call;
use super::layout::{KvLayout, KvType, Places, Side};
use half::{bf16, f16};

/// Attends in `f64`, rounding once at the end.
pub(super) fn paged_attention(call: &Call<'_>, out: &mut [f32]) {
    let KvLayout { n_kv_heads, head_dim, .. } = call.layout;
    let n_heads = n_kv_heads * call.group_heads;
    let mut rows = call.queries.chunks(head_dim).zip(out.chunks_mut(head_dim));
    for segment in call.segments {
        for position in segment.first_position()..segment.context {
            for (head, (query, out)) in (0..n_heads).zip(&mut rows) {
                let cached =
                    |token| read(call, segment.slot(token, call.layout.block_tokens), head);
                let tokens: Vec<_> = (0..=position).map(cached).collect();
                out.copy_from_slice(&attend(query, call.scale, &tokens));
            }
        }
    }
}

/// A key and a value.
type Token = [Vec<f64>; 2];

fn attend(query: &[f32], scale: f32, tokens: &[Token]) -> Vec<f32> {
    let score = |key: &[f64]| -> f64 {
        key.iter().zip(query).map(|(key, &query)| key * f64::from(query)).sum()
    };
    let scores: Vec<f64> = tokens.iter().map(|[key, _]| f64::from(scale) * score(key)).collect();
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
    let sum: f64 = weights.iter().sum();
    (0..query.len())
        .map(|i| weights.iter().zip(tokens).map(|(w, [_, value])| w * value[i]).sum::<f64>())
        .map(|value| (value / sum) as f32)
        .collect()
}

fn read(call: &Call<'_>, (block, slot): (u32, usize), head: usize) -> Token {
    let layout = call.layout;
    let [keys, values] = call.cache.sides(block, head / call.group_heads);
    let key = row(layout, layout.split(keys), slot, Places::key(slot, layout.head_dim));
    let value = row(layout, layout.split(values), slot, Places::value(slot, layout.head_dim));
    [key, value]
}

/// What was stored of one row.
pub(super) fn row(layout: KvLayout, side: Side<'_>, slot: usize, places: Places) -> Vec<f64> {
    let float = |bytes: &[u8], i: usize| f64::from(f32::from_le_bytes(bytes.as_chunks().0[i]));
    let code = |place: usize| match layout.kv_type {
        KvType::F32 => float(side.codes, place),
        KvType::F16 => f16::from_le_bytes(side.codes.as_chunks().0[place]).to_f64(),
        KvType::Bf16 => bf16::from_le_bytes(side.codes.as_chunks().0[place]).to_f64(),
        KvType::Int8 => f64::from(side.codes[place]),
        KvType::Int4 => {
            let byte = side.codes[place / 16 * 8 + place % 8];
            f64::from(if place % 16 < 8 { byte & 0x0f } else { byte >> 4 })
        }
    };
    let codes = places.iter().take(layout.head_dim).map(code);
    match layout.kv_type {
        KvType::Int8 | KvType::Int4 => {
            let (scale, minimum) = (float(side.scales, slot), float(side.minimums, slot));
            codes.map(|code| code * scale + minimum).collect()
        }
        _ => codes.collect(),
    }
}
