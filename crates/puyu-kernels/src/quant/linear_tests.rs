use puyu_testkit::random_normal;

use super::format::*;
use super::linear::linear_on;
use super::pack::quantize;
use super::rows::QuantizedRows;
use super::scalar;
use crate::testing::{bits, versions};
use crate::{Isa, Weight};

pub(super) const FORMATS: [QuantFormat; 6] = [
    QuantFormat::Int4 { group: Group::Of32 },
    QuantFormat::Int4 { group: Group::Of128 },
    QuantFormat::Int4Asymmetric { group: Group::Of64 },
    QuantFormat::Int4Asymmetric { group: Group::Of128 },
    QuantFormat::Int8 { group: Group::Of32 },
    QuantFormat::Int8 { group: Group::Of128 },
];

/// Around quads, blocks, groups and spans.
const INPUTS: [usize; 14] = [1, 3, 4, 5, 31, 32, 33, 64, 127, 128, 129, 511, 513, 1100];

/// Around panels and tiles.
const OUTPUTS: [usize; 6] = [1, 15, 16, 17, 32, 70];

/// Around tiles of rows.
const ROWS: [usize; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 33, 64, 100];

pub(super) fn quantized(values: &[f32], shape: QuantShape) -> Vec<u8> {
    let mut bytes = vec![0; shape.n_bytes().expect("a small weight fits in memory")];
    quantize(Weight::F32(values), shape, &mut bytes);
    bytes
}

fn rows(isa: Isa, x: &[f32], k: usize) -> QuantizedRows {
    let mut rows = QuantizedRows::new();
    rows.quantize_on(isa, x, k);
    rows
}

/// Every version has the bits of the definition.
#[track_caller]
fn check(x: &[f32], bytes: &[u8], shape: QuantShape) {
    let weight = QuantWeight::new(bytes, shape);
    let n = x.len() / shape.k;
    let bias = random_normal(shape.m, 3);
    for bias in [None, Some(&bias[..])] {
        let mut expected = vec![0.0; n * shape.m];
        scalar::quant_linear(&rows(Isa::Portable, x, shape.k), weight, bias, &mut expected);
        for isa in versions() {
            let mut out = vec![9.0; n * shape.m];
            linear_on(isa, &rows(isa, x, shape.k), weight, bias, &mut out);
            assert_eq!(bits(&out), bits(&expected), "{isa:?}, {n} rows, {shape:?}");
        }
    }
}

#[test]
fn every_version_has_the_bits_of_the_definition_at_all_sizes() {
    for format in FORMATS {
        for k in INPUTS {
            for m in OUTPUTS {
                let shape = QuantShape { m, k, format };
                let bytes = quantized(&random_normal(m * k, 2), shape);
                for n in [1, 2, 3, 7] {
                    check(&random_normal(n * k, 1), &bytes, shape);
                }
            }
        }
    }
}

#[test]
fn every_version_has_the_bits_of_the_definition_at_all_heights() {
    for format in FORMATS {
        let shape = QuantShape { m: 37, k: 300, format };
        let bytes = quantized(&random_normal(37 * 300, 2), shape);
        for n in ROWS {
            check(&random_normal(n * 300, 1), &bytes, shape);
        }
    }
}
