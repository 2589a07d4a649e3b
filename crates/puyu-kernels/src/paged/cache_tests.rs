use puyu_testkit::random_normal;

use super::layout::Places;
use super::*;

const TYPES: [KvType; 5] = [KvType::F32, KvType::F16, KvType::Bf16, KvType::Int8, KvType::Int4];

fn layout(kv_type: KvType) -> KvLayout {
    KvLayout { n_layers: 2, n_kv_heads: 3, head_dim: 48, block_tokens: 32, kv_type }
}

/// What layer 1 holds of a token: the keys of all heads, then the values.
fn read(pool: &KvPool, (block, slot): (u32, usize)) -> Vec<Vec<f64>> {
    let layout = pool.layout();
    let cut = |side| layout.split(side);
    let row = |side, places| scalar::row(layout, side, slot, places);
    let sides: Vec<_> =
        (0..layout.n_kv_heads).map(|head| pool.layer(1).sides(block, head)).collect();
    let keys = sides.iter().map(|sides| row(cut(sides[0]), Places::key(slot, layout.head_dim)));
    let values = sides.iter().map(|sides| row(cut(sides[1]), Places::value(slot, layout.head_dim)));
    keys.chain(values).collect()
}

/// Stores one row as key and value of head 1 and reads it back.
fn store(kv_type: KvType, row: &[f32]) -> Vec<f64> {
    let layout = KvLayout { head_dim: row.len(), ..layout(kv_type) };
    let mut pool = KvPool::new(layout, 2).unwrap();
    let mut keys = vec![7.0; 3 * row.len()];
    keys[row.len()..][..row.len()].copy_from_slice(row);
    pool.append(1, &[Segment { n_queries: 1, context: 38, block_table: &[1, 0] }], &keys, &keys);
    let [key, value] = [1, 4].map(|i| read(&pool, (0, 5))[i].clone());
    assert_eq!(format!("{key:?}"), format!("{value:?}"), "key and value are stored alike");
    key
}

#[test]
fn floats_are_stored_as_rounded() {
    let row = random_normal(48, 3);
    let exact: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
    assert_eq!(store(KvType::F32, &row), exact);
    let half: Vec<f64> = row.iter().map(|&x| half::f16::from_f32(x).to_f64()).collect();
    assert_eq!(store(KvType::F16, &row), half);
    let brain: Vec<f64> = row.iter().map(|&x| half::bf16::from_f32(x).to_f64()).collect();
    assert_eq!(store(KvType::Bf16, &row), brain);
}

/// Within half a scale, and the rounding of the arithmetic; below, of denormals.
#[track_caller]
fn check_integers(row: &[f32]) {
    let fold = |f: fn(f64, f64) -> f64| row.iter().map(|&x| f64::from(x)).reduce(f).unwrap();
    let (minimum, maximum) = (fold(f64::min), fold(f64::max));
    for (kv_type, max_code) in [(KvType::Int8, 255.0), (KvType::Int4, 15.0)] {
        let scale = (maximum - minimum) / max_code;
        let size = minimum.abs().max(maximum.abs());
        let bound = scale / 2.0 + size * 2_f64.powi(-22) + 256.0 * 2_f64.powi(-149);
        for (&x, stored) in row.iter().zip(store(kv_type, row)) {
            let error = (f64::from(x) - stored).abs();
            assert!(error <= bound, "{kv_type:?}: {x} became {stored}, scale {scale}");
        }
    }
}

#[test]
fn integers_are_within_half_a_scale() {
    for (seed, size) in [(1, 1.0), (2, 1e-3), (3, 1e4), (4, 1e-30), (5, 1e30)] {
        let row: Vec<f32> = random_normal(64, seed).iter().map(|x| x * size).collect();
        check_integers(&row);
        check_integers(&row.iter().map(|x| x.abs() + size).collect::<Vec<_>>());
    }
}

#[test]
fn integers_keep_extreme_rows_finite() {
    let mut row = vec![0.0; 16];
    for (low, high) in [
        (-65_504.0, 65_504.0),
        (0.0, 65_504.0),
        (-1e-40, 1e-40),
        (0.0, f32::from_bits(1)),
        (0.0, f32::from_bits(300)),
        (f32::MIN_POSITIVE, 1.0),
        (-0.0, 0.0),
        (-1e38, 1e38),
    ] {
        (row[3], row[9]) = (low, high);
        check_integers(&row);
    }
}

#[test]
fn a_constant_row_is_exact() {
    for value in [0.0, 1.0, -0.1, 65_504.0, -65_504.0, 1e-40, 3e38] {
        for kv_type in [KvType::Int8, KvType::Int4] {
            assert_eq!(store(kv_type, &[value; 32]), [f64::from(value); 32]);
        }
    }
}

#[test]
fn a_row_that_is_not_finite_does_not_look_finite() {
    for kv_type in [KvType::Int8, KvType::Int4] {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut row = [1.0; 16];
            row[7] = value;
            assert!(store(kv_type, &row).iter().all(|x| x.is_nan()), "{kv_type:?}, {value}");
        }
    }
}

#[test]
fn what_is_stored_of_a_token_depends_on_it_alone() {
    for kv_type in TYPES {
        let layout = layout(kv_type);
        let row_len = layout.n_kv_heads * layout.head_dim;
        let (keys, values) = (random_normal(70 * row_len, 1), random_normal(70 * row_len, 2));

        let mut at_once = KvPool::new(layout, 3).unwrap();
        let table = [2, 0, 1];
        at_once.append(
            1,
            &[Segment { n_queries: 70, context: 70, block_table: &table }],
            &keys,
            &values,
        );

        let mut one_by_one = KvPool::new(layout, 5).unwrap();
        let other = [4, 1, 0];
        for i in 0..70 {
            let segment = Segment { n_queries: 1, context: i + 1, block_table: &other };
            let token = i * row_len..(i + 1) * row_len;
            one_by_one.append(1, &[segment], &keys[token.clone()], &values[token]);
        }
        for i in 0..70 {
            let a = read(&at_once, (table[i / 32], i % 32));
            assert_eq!(a, read(&one_by_one, (other[i / 32], i % 32)), "{kv_type:?}, token {i}");
        }
    }
}

#[test]
fn a_copied_block_holds_the_same_tokens() {
    for kv_type in TYPES {
        let layout = layout(kv_type);
        let row_len = layout.n_kv_heads * layout.head_dim;
        let keys = random_normal(32 * row_len, 1);
        let mut pool = KvPool::new(layout, 3).unwrap();
        pool.append(1, &[Segment { n_queries: 32, context: 32, block_table: &[2] }], &keys, &keys);
        pool.copy_block(2, 0);
        for slot in 0..32 {
            assert_eq!(read(&pool, (0, slot)), read(&pool, (2, slot)));
            assert_eq!(read(&pool, (1, slot)), vec![vec![0.0; 48]; 6]);
        }
    }
}

#[test]
fn the_bytes_of_a_block_are_exact() {
    let bytes = |kv_type| layout(kv_type).block_bytes().unwrap();
    let rows = 2 * 2 * 3 * 32;
    assert_eq!(TYPES.map(bytes), [rows * 192, rows * 96, rows * 96, rows * 56, rows * 32]);
}

#[test]
fn a_layout_that_the_kernels_cannot_read_is_refused() {
    let good = layout(KvType::F16);
    for (bad, axis) in [
        (KvLayout { n_layers: 0, ..good }, "n_layers"),
        (KvLayout { n_kv_heads: 0, ..good }, "n_kv_heads"),
        (KvLayout { head_dim: 40, ..good }, "head_dim"),
        (KvLayout { head_dim: 0, ..good }, "head_dim"),
        (KvLayout { block_tokens: 8, ..good }, "block_tokens"),
    ] {
        let error = KvPool::new(bad, 1).unwrap_err();
        assert!(matches!(error, KvError::Axis { axis: found, .. } if found == axis), "{error}");
    }
}

#[test]
fn memory_that_does_not_exist_is_an_error() {
    let large = layout(KvType::F16);
    assert_eq!(
        KvPool::new(large, usize::MAX).unwrap_err(),
        KvError::TooLarge { n_blocks: usize::MAX }
    );
    let huge = KvLayout { n_layers: usize::MAX / 2, ..large };
    assert_eq!(huge.block_bytes().unwrap_err(), KvError::TooLarge { n_blocks: 1 });

    let n_blocks = (1 << 60) / large.block_bytes().unwrap();
    let error = KvPool::new(large, n_blocks).unwrap_err();
    let bytes = n_blocks * large.block_bytes().unwrap();
    assert_eq!(error, KvError::Allocation { bytes, n_blocks });
    assert!(error.to_string().contains(&bytes.to_string()), "{error}");
}

/// Other tests run beside this one, so only the order of magnitude counts.
#[cfg(target_os = "linux")]
#[test]
fn untouched_blocks_cost_no_memory() {
    let resident_pages = || -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let layout = layout(KvType::F16);
    let n_blocks = (1 << 30) / layout.block_bytes().unwrap();
    let before = resident_pages();
    let pool = KvPool::new(layout, n_blocks).unwrap();
    let grown = resident_pages().saturating_sub(before) * 4096;
    assert!(grown < 1 << 29, "{grown} bytes became resident");
    assert_eq!(read(&pool, (n_blocks as u32 - 1, 31)), vec![vec![0.0; 48]; 6]);
}

#[track_caller]
fn append(segment: Segment<'_>, n_values: usize) {
    let mut pool = KvPool::new(layout(KvType::F16), 2).unwrap();
    pool.append(0, &[segment], &vec![0.0; n_values], &vec![0.0; n_values]);
}

#[test]
#[should_panic(expected = "block 2 does not exist, there are 2")]
fn a_block_that_does_not_exist_is_refused() {
    append(Segment { n_queries: 1, context: 1, block_table: &[2] }, 144);
}

#[test]
fn a_block_beyond_the_context_is_not_looked_at() {
    append(Segment { n_queries: 1, context: 32, block_table: &[1, 99] }, 144);
}

#[test]
#[should_panic(expected = "a context of 33 needs 2 blocks, the table has 1")]
fn a_short_table_is_refused() {
    append(Segment { n_queries: 1, context: 33, block_table: &[1] }, 144);
}

#[test]
#[should_panic(expected = "2 queries do not fit a context of 1")]
fn more_queries_than_context_are_refused() {
    append(Segment { n_queries: 2, context: 1, block_table: &[1] }, 288);
}

#[test]
#[should_panic(expected = "1 tokens of 144 keys expected")]
fn keys_of_another_shape_are_refused() {
    append(Segment { n_queries: 1, context: 1, block_table: &[1] }, 143);
}

#[test]
#[should_panic(expected = "layer 2 of 2 does not exist")]
fn a_layer_that_does_not_exist_is_refused() {
    KvPool::new(layout(KvType::F16), 1).unwrap().layer(2);
}

#[test]
#[should_panic(expected = "block 7 does not exist, there are 1")]
fn copying_to_nowhere_is_refused() {
    KvPool::new(layout(KvType::F16), 1).unwrap().copy_block(0, 7);
}
