//! Heads whose width is not a multiple of what a block holds in one piece.

/// Widens each head with zeros, which add nothing to a score.
pub(super) fn pad_with_zeros(values: Vec<f32>, head_dim: usize, unit: usize) -> Vec<f32> {
    pad(values, head_dim, unit, |_head| 0.0)
}

/// Widens each head with its last number, so that its largest and smallest, by which integers are
/// scaled, stay what they are.
pub(super) fn pad_with_last(values: Vec<f32>, head_dim: usize, unit: usize) -> Vec<f32> {
    pad(values, head_dim, unit, |head| head.last().copied().unwrap_or(0.0))
}

fn pad(
    values: Vec<f32>,
    head_dim: usize,
    unit: usize,
    filling: impl Fn(&[f32]) -> f32,
) -> Vec<f32> {
    let padded_dim = head_dim.next_multiple_of(unit);
    if padded_dim == head_dim {
        return values;
    }
    let mut padded = Vec::with_capacity(values.len() / head_dim * padded_dim);
    for head in values.chunks_exact(head_dim) {
        padded.extend_from_slice(head);
        padded.resize(padded.len() + padded_dim - head_dim, filling(head));
    }
    padded
}

/// Cuts what [`pad_with_last`] has added to values off what attention makes of them.
pub(super) fn unpad(values: Vec<f32>, head_dim: usize, unit: usize) -> Vec<f32> {
    let padded_dim = head_dim.next_multiple_of(unit);
    if padded_dim == head_dim {
        return values;
    }
    values.chunks_exact(padded_dim).flat_map(|head| &head[..head_dim]).copied().collect()
}
