//! AWQ checkpoints packed by hand: what they mean, and what is refused.

use half::f16;
use puyu_testkit::{random_f32, random_tokens, shared};

use super::*;
use crate::checkpoint::awq::Awq;
use crate::config::HfQuantization;

/// Columns of a group of eight, from the lowest nibble up, as AutoAWQ packs them.
const ORDER: [usize; 8] = [0, 2, 4, 6, 1, 3, 5, 7];

/// Divides the widths 96 and 224 of the tiny model.
const GROUP: usize = 32;

fn awq(group_size: usize) -> Awq {
    let found = HfQuantization {
        quant_method: Some("awq".to_owned()),
        version: Some("GEMM".to_owned()),
        bits: Some(4),
        group_size: Some(group_size as i64),
        zero_point: Some(true),
    };
    Awq::new(&found, Path::new(CONFIG)).unwrap()
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn halves(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect()
}

/// Eight values below 16 per word.
fn pack(values: &[u32]) -> Vec<u8> {
    let pack_one = |eight: &[u32]| -> u32 {
        ORDER.iter().enumerate().map(|(nibble, &column)| eight[column] << (4 * nibble)).sum()
    };
    words(&values.chunks_exact(8).map(pack_one).collect::<Vec<u32>>())
}

#[test]
fn nibbles_hold_the_columns_0_2_4_6_1_3_5_7() {
    let (weights, zeros) = (words(&[0x7531_6420]), words(&[0x1111_1111]));
    let found = awq(1).dequantize([&weights, &zeros, &halves(&[2.0; 8])], [8, 1]);
    assert_eq!(found, [-2.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);

    let (weights, zeros) = (words(&[0xFFFF_FFFF]), words(&[0x7531_6420]));
    let scales = [1.0, 0.5, 0.25, 0.125, -1.0, 0.0, 2.0, 4.0];
    let found = awq(1).dequantize([&weights, &zeros, &halves(&scales)], [8, 1]);
    assert_eq!(found, [15.0, 7.0, 3.25, 1.5, -11.0, 0.0, 18.0, 32.0]);
    assert_eq!(pack(&[0, 1, 2, 3, 4, 5, 6, 7]), words(&[0x7531_6420]));
}

/// A packed matrix beside the plain one that it means.
struct Packed {
    tensors: [(&'static str, Entry); 3],
    plain: Vec<f32>,
}

/// Random nibbles, zeros and scales of an `[out, input]` weight.
fn packed([out, input]: [usize; 2], group: usize, seed: u64) -> Packed {
    let n_groups = input / group;
    let q = random_tokens(input * out, 16, seed);
    let zeros = random_tokens(n_groups * out, 16, seed + 1);
    let scales: Vec<f32> = random_f32(n_groups * out, seed + 2)
        .into_iter()
        .map(|value| f16::from_f32(0.01 * (value + 1.5)).to_f32())
        .collect();
    let mut plain = Vec::with_capacity(out * input);
    for o in 0..out {
        for i in 0..input {
            let place = i / group * out + o;
            let difference = q[i * out + o] as f32 - zeros[place] as f32;
            plain.push(difference * scales[place]);
        }
    }
    let tensors = [
        ("qweight", Entry::new("I32", &[input, out / 8], pack(&q))),
        ("qzeros", Entry::new("I32", &[n_groups, out / 8], pack(&zeros))),
        ("scales", Entry::new("F16", &[n_groups, out], halves(&scales))),
    ];
    Packed { tensors, plain }
}

#[track_caller]
fn check_dequantized(shape: [usize; 2], group: usize) {
    let Packed { tensors: [(_, qweight), (_, qzeros), (_, scales)], plain } =
        packed(shape, group, 5);
    let awq = awq(group);
    let shapes = awq.shapes((std::path::Path::new("DIR"), "name"), shape).unwrap();
    assert_eq!(shapes, [&qweight, &qzeros, &scales].map(|entry| entry.shape.clone()));
    let found = awq.dequantize([&qweight.bytes, &qzeros.bytes, &scales.bytes], shape);
    assert_eq!(found, plain, "{shape:?} in groups of {group}");
}

#[test]
fn a_weight_is_the_nibble_less_the_zero_times_the_scale_of_its_group() {
    check_dequantized([8, 1], 1);
    check_dequantized([8, 6], 3);
    check_dequantized([24, 6], 2);
    check_dequantized([16, 256], 128);
}

/// Two folders of one model: its projections packed, and plain.
fn twins() -> [TempDir; 2] {
    let (packed_folder, plain_folder) = (whole(), whole());
    edit_config(packed_folder.path(), |config| {
        let quantization = json!({ "quant_method": "awq", "bits": 4, "group_size": GROUP });
        config.insert("quantization_config".to_owned(), quantization);
    });
    let tensors = read_tensors(packed_folder.path());
    let (mut with_packed, mut with_plain) = (tensors.clone(), tensors.clone());
    for (seed, (name, entry)) in (0..).step_by(3).zip(&tensors) {
        let &[out, input] = entry.shape.as_slice() else { continue };
        let Some(module) = name.strip_suffix(".weight").filter(|_| name.contains(".layers."))
        else {
            continue;
        };
        let Packed { tensors, plain } = packed([out, input], GROUP, seed);
        with_plain.insert(name.clone(), Entry::f32(&[out, input], &plain));
        with_packed.remove(name);
        with_packed.extend(tensors.map(|(suffix, entry)| (format!("{module}.{suffix}"), entry)));
    }
    assert_eq!(with_packed.len(), tensors.len() + 2 * 5 * 3, "five projections in three layers");
    write_tensors(&packed_folder.path().join(WEIGHTS), &with_packed);
    write_tensors(&plain_folder.path().join(WEIGHTS), &with_plain);
    [packed_folder, plain_folder]
}

#[test]
fn a_packed_model_is_the_plain_model_that_it_means() {
    let [packed, plain] = twins();
    let model = load(packed.path());
    assert_same(&model, &outputs(&load(plain.path())), "plain");

    let options = Checkpoint::open(&packed).unwrap().save_options();
    assert!(options.config_json.is_none(), "the saved model is no longer packed");
    let again = saved(&model, &options);
    assert!(read_tensors(again.path()) == read_tensors(plain.path()), "the tensors differ");
    assert_same(&load(again.path()), &outputs(&model), "saved");
}

#[test]
fn a_golden_packed_model_is_saved_as_plain_weights() {
    let Some(folder) = shared("fixtures/tiny/internlm2-tiny-awq") else { return };
    let model = load(&folder);
    let again = saved(&model, &Checkpoint::open(&folder).unwrap().save_options());
    assert!(read_tensors(again.path()).keys().all(|name| name.ends_with(".weight")));
    assert_eq!(
        fs::read(again.path().join(GENERATION)).unwrap(),
        fs::read(folder.join(GENERATION)).unwrap()
    );
    assert_same(&load(again.path()), &outputs(&model), "saved");
}

/// A packed folder damaged this way is refused with these words.
#[track_caller]
fn check_refused(case: &str, damage: impl FnOnce(&mut Tensors), expected: &str) {
    let [folder, _plain] = twins();
    edit_tensors(folder.path(), damage);
    match try_load(folder.path()) {
        Ok(_) => panic!("{case} was accepted"),
        Err(error) => assert_described(&describe(&error, folder.path()), expected, case),
    }
}

#[test]
fn packed_tensors_that_do_not_fit_are_refused() {
    const WO: &str = "model.layers.0.attention.wo";
    let (weight, qweight) = (format!("{WO}.weight"), format!("{WO}.qweight"));
    let (qzeros, scales) = (format!("{WO}.qzeros"), format!("{WO}.scales"));
    let set = |name: &str, entry: Entry| {
        let name = name.to_owned();
        move |tensors: &mut Tensors| {
            tensors.insert(name, entry);
        }
    };
    check_refused(
        "words that are floats",
        set(&qweight, Entry::zeros("F32", &[96, 12], 4)),
        &format!("DIR/model.safetensors: tensor `{qweight}`: expected I32, found F32"),
    );
    check_refused(
        "wide scales",
        set(&scales, Entry::zeros("F32", &[3, 96], 4)),
        &format!("DIR/model.safetensors: tensor `{scales}`: expected F16, found F32"),
    );
    check_refused(
        "packed along the other axis",
        set(&qweight, Entry::zeros("I32", &[12, 96], 4)),
        &format!(
            "DIR/model.safetensors: tensor `{qweight}`: expected shape [96, 12], found [12, 96]"
        ),
    );
    check_refused(
        "zeros of another size of group",
        set(&qzeros, Entry::zeros("I32", &[1, 12], 4)),
        &format!("DIR/model.safetensors: tensor `{qzeros}`: expected shape [3, 12], found [1, 12]"),
    );
    check_refused(
        "no scales",
        |tensors| assert!(tensors.remove(&scales).is_some()),
        &format!("tensor `{scales}` of shape [3, 96] is missing from DIR"),
    );
    check_refused(
        "neither packed nor plain",
        |tensors| assert!(tensors.remove(&qweight).is_some()),
        &format!("tensor `{weight}` of shape [96, 96] is missing from DIR"),
    );
    check_refused(
        "packed and plain",
        set(&weight, Entry::zeros("F32", &[96, 96], 4)),
        &format!(
            "DIR/model.safetensors: tensor `{weight}` of shape [96, 96] has no place in this \
             model; does config.json belong to these weights?"
        ),
    );
}

#[test]
fn packed_weights_need_a_configuration_that_says_how() {
    let [folder, _plain] = twins();
    let check = |group: Option<i64>, expected: &str| {
        edit_config(folder.path(), |config| {
            let quantization =
                group.map(|group| json!({ "quant_method": "awq", "bits": 4, "group_size": group }));
            config.insert("quantization_config".to_owned(), json!(quantization));
        });
        let Err(error) = try_load(folder.path()) else { panic!("{group:?} was accepted") };
        assert_described(&describe(&error, folder.path()), expected, "the group");
    };
    check(
        None,
        "tensor `model.layers.0.attention.wqkv.weight` of shape [160, 96] is missing from DIR",
    );
    check(
        Some(64),
        "DIR: quantization of `model.layers.0.attention.wqkv`, a [160, 96] weight, in groups of 64 \
         by 8 is not read…",
    );
    check(
        Some(48),
        "DIR/model.safetensors: tensor `model.layers.0.attention.wqkv.qzeros`: expected shape \
         [2, 20], found [3, 20]",
    );
    check(Some(i64::MAX), "DIR: quantization of `model.layers.0.attention.wqkv`…");
    check(Some(-1), "DIR/config.json: quantization awq of 4 bits, groups of -1…");
}
