use burn::tensor::{DType, Int, Tensor, TensorData};
use puyu_kernels::{Group, QuantFormat, QuantShape, Weight, quantize};
use puyu_testkit::{Tolerance, assert_close, random_normal};

use super::quant_linear;
use crate::ops::testing::{device, reference_device, tensor};
use crate::read;

const FORMATS: [QuantFormat; 3] = [
    QuantFormat::Int8 { group: Group::Of32 },
    QuantFormat::Int4 { group: Group::Of32 },
    QuantFormat::Int4 { group: Group::Of128 },
];

#[test]
fn bodies_agree_up_to_the_rounding_of_activations() {
    const ROWS: usize = 5;
    for format in FORMATS {
        let shape = QuantShape { m: 24, k: 256, format };
        let mut packed = vec![0; shape.n_bytes().unwrap()];
        quantize(Weight::F32(&random_normal(shape.m * shape.k, 1)), shape, &mut packed);
        let x = random_normal(ROWS * shape.k, 2);
        let run = |device| {
            let packed = TensorData::new(packed.clone(), [packed.len()]);
            let packed = Tensor::<1, Int>::from_data(packed, (&device, DType::U8));
            let x = tensor(&x, [1, ROWS, shape.k], &device);
            read(quant_linear(x, packed, shape)).unwrap()
        };
        // An activation is off by at most 1/254 of the largest of its 32, about 2.5; the sum of 256
        // such errors, each times a weight, has a deviation of sqrt(256) * 2.5 / 254 / sqrt(3).
        assert_close(&run(device()), &run(reference_device()), Tolerance::within(0.5));
    }
}
