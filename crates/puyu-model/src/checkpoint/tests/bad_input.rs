//! Damaged and hostile folders: each is refused with words that say what is wrong, and where.

use super::*;

fn write_weights(folder: &Path, bytes: Vec<u8>) {
    fs::write(folder.join(WEIGHTS), bytes).unwrap();
}

/// Places the weights in two shards with an index, tensors in the order of their names.
fn shard(folder: &Path) {
    let tensors = read_tensors(folder);
    fs::remove_file(folder.join(WEIGHTS)).unwrap();
    let half = tensors.len() / 2;
    let mut weight_map = Map::new();
    let mut parts = [Tensors::new(), Tensors::new()];
    for (index, (name, entry)) in tensors.into_iter().enumerate() {
        let part = usize::from(index >= half);
        weight_map.insert(name.clone(), json!(SHARDS[part]));
        parts[part].insert(name, entry);
    }
    for (name, part) in SHARDS.iter().zip(&parts) {
        write_tensors(&folder.join(name), part);
    }
    fs::write(folder.join(INDEX), json!({ "weight_map": weight_map }).to_string()).unwrap();
}

const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

/// In the first shard, by its name.
const FIRST: &str = "model.layers.0.attention.wo.weight";

fn edit_index(folder: &Path, edit: impl FnOnce(&mut Map<String, Value>)) {
    shard(folder);
    edit_json(&folder.join(INDEX), |index| edit(index["weight_map"].as_object_mut().unwrap()));
}

#[test]
fn a_folder_without_a_readable_configuration_is_refused() {
    check_refused(
        "no folder",
        |folder| fs::remove_dir_all(folder).unwrap(),
        "cannot open DIR/config.json: …",
    );
    check_refused(
        "no config.json",
        |folder| fs::remove_file(folder.join(CONFIG)).unwrap(),
        "cannot open DIR/config.json: …",
    );
    check_refused(
        "a folder in its place",
        |folder| {
            fs::remove_file(folder.join(CONFIG)).unwrap();
            fs::create_dir(folder.join(CONFIG)).unwrap();
        },
        "cannot read DIR/config.json: …",
    );
    check_refused(
        "not UTF-8",
        |folder| fs::write(folder.join(CONFIG), b"{\"model_type\": \"\xff\"}").unwrap(),
        "cannot read DIR/config.json: stream did not contain valid UTF-8",
    );
    check_refused(
        "one byte more than a mebibyte",
        |folder| fs::write(folder.join(CONFIG), vec![b' '; (1 << 20) + 1]).unwrap(),
        "DIR/config.json has 1048577 bytes; expected at most 1048576",
    );
    check_refused(
        "generation_config.json too large",
        |folder| fs::write(folder.join(GENERATION), vec![b' '; (1 << 20) + 1]).unwrap(),
        "DIR/generation_config.json has 1048577 bytes; expected at most 1048576",
    );
}

#[track_caller]
fn check_config_text(text: &str, expected: &str) {
    check_refused(text, |folder| fs::write(folder.join(CONFIG), text).unwrap(), expected);
}

#[test]
fn a_configuration_that_is_not_json_of_the_form_is_refused() {
    let form =
        |rest: &str| format!("DIR/config.json is not valid JSON of the expected form: {rest}");
    check_config_text("", &form("EOF while parsing a value at line 1 column 0"));
    check_config_text("{", &form("EOF while parsing an object at line 1 column 1"));
    check_config_text("浦语", &form("expected value at line 1 column 1"));
    check_config_text("null", &form("invalid type: null, expected struct HfConfig…"));
    check_config_text(
        r#"{"vocab_size": "384"}"#,
        &form("invalid type: string \"384\", expected usize at line 1…"),
    );
    check_config_text(
        r#"{"vocab_size": -1}"#,
        &form("invalid value: integer `-1`, expected usize at line 1…"),
    );
    check_config_text(&format!("{{\"x\":{}", "[".repeat(200_000)), &form("…"));
    check_config_text(&format!("{{\"rotary\":{}", "[".repeat(200_000)), &form("…"));
    check_refused(
        "generation_config.json cut off",
        |folder| fs::write(folder.join(GENERATION), "{\"top_k\": 5").unwrap(),
        "DIR/generation_config.json is not valid JSON of the expected form: EOF while parsing an \
         object at line 1 column 11",
    );
}

#[test]
fn a_configuration_that_describes_no_model_is_refused() {
    let no_model = "DIR/config.json does not describe a model";
    check_config_text("{}", &format!("{no_model}: field `model_type` is missing"));
    check_refused(
        "an unknown type",
        |folder| edit_config(folder, |config| config["model_type"] = json!("浦语")),
        &format!(
            "{no_model}: unknown model_type `浦语`; expected internlm, internlm2, internlm3 or llama"
        ),
    );
    check_refused(
        "a size beyond reason",
        |folder| edit_config(folder, |config| config["hidden_size"] = json!(u64::MAX)),
        &format!(
            "{no_model}: field `hidden_size`: expected 1 to 16777216, found 18446744073709551615"
        ),
    );
}

#[test]
fn a_folder_without_safetensors_is_refused() {
    let nothing = "DIR holds neither model.safetensors nor model.safetensors.index.json";
    check_refused("no weights", |folder| fs::remove_file(folder.join(WEIGHTS)).unwrap(), nothing);
    check_refused(
        "a folder in place of the weights",
        |folder| {
            fs::remove_file(folder.join(WEIGHTS)).unwrap();
            fs::create_dir(folder.join(WEIGHTS)).unwrap();
        },
        nothing,
    );
}

#[test]
fn pickled_weights_are_refused_as_code() {
    for name in [
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "pytorch_model-00001-of-00002.bin",
        "model.bin",
        "浦语.bin",
        "weights.pt",
    ] {
        check_refused(
            name,
            |folder| fs::rename(folder.join(WEIGHTS), folder.join(name)).unwrap(),
            &format!(
                "DIR/{name} is a Python pickle, which can run any code when read; convert it to \
                 safetensors first"
            ),
        );
    }
}

#[test]
fn a_weight_file_that_was_cut_off_is_refused() {
    let length = u64::from_le_bytes(WHOLE[1].1[..8].try_into().unwrap()) as usize;
    let n_bytes = WHOLE[1].1.len();
    for (n_left, why) in [
        (0, "header too small"),
        (1, "header too small"),
        (7, "header too small"),
        (8, "invalid header length"),
        (9, "invalid header length"),
        (8 + length / 2, "invalid header length"),
        (7 + length, "invalid header length"),
        (8 + length, "incomplete metadata, file not fully covered"),
        (9 + length, "incomplete metadata, file not fully covered"),
        ((8 + length + n_bytes) / 2, "incomplete metadata, file not fully covered"),
        (n_bytes - 1, "incomplete metadata, file not fully covered"),
    ] {
        check_refused(
            &format!("{n_left} of {n_bytes} bytes"),
            |folder| write_weights(folder, WHOLE[1].1[..n_left].to_vec()),
            &format!("DIR/model.safetensors is not a valid safetensors file: {why}"),
        );
    }
}

#[track_caller]
fn check_file(case: &str, bytes: Vec<u8>, why: &str) {
    check_refused(
        case,
        |folder| write_weights(folder, bytes),
        &format!("DIR/model.safetensors is not a valid safetensors file: {why}"),
    );
}

#[test]
fn a_header_that_cannot_be_read_is_refused() {
    let with_length = |length: u64| [&length.to_le_bytes()[..], &WHOLE[1].1[8..]].concat();
    check_file("the longest header", with_length(u64::MAX), "header too large");
    check_file("a header of 2^63 bytes", with_length(1 << 63), "header too large");
    check_file("a header beyond the limit", with_length(100_000_001), "header too large");
    check_file("a header beyond the file", with_length(99_000_000), "invalid header length");
    check_file(
        "trailing bytes",
        [WHOLE[1].1.as_slice(), &[0]].concat(),
        "incomplete metadata, file not fully covered",
    );
    check_file(
        "an empty header",
        file_of("", &[]),
        "invalid JSON in header: EOF while parsing a value at line 1 column 0",
    );
    check_file(
        "a header of text",
        file_of("浦语 hello", &[]),
        "invalid JSON in header: expected value at line 1 column 1",
    );
    check_file(
        "a header that is not UTF-8",
        [&2_u64.to_le_bytes()[..], b"\xff\xfe"].concat(),
        "invalid UTF-8 in header: invalid utf-8 sequence of 1 bytes from index 0",
    );
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    check_file("a deep header", file_of(&deep, &[]), "invalid JSON in header: …");
}

/// A header with the tensors `a` and `b` of these types, shapes and places.
fn header(tensors: [(&str, Value, Value); 2]) -> String {
    let [a, b] = tensors.map(
        |(dtype, shape, place)| json!({ "dtype": dtype, "shape": shape, "data_offsets": place }),
    );
    json!({ "a": a, "b": b }).to_string()
}

#[track_caller]
fn check_places(case: &str, b: (&str, Value, Value), why: &str) {
    let a = ("F32", json!([2]), json!([0, 8]));
    check_file(case, file_of(&header([a, b]), &[0; 16]), why);
}

#[test]
fn tensors_that_do_not_fill_the_file_piece_by_piece_are_refused() {
    let place = "invalid offset for tensor `b`";
    let uncovered = "incomplete metadata, file not fully covered";
    let overflow = "overflow computing buffer size from shape and/or element type";
    check_places("overlap", ("F32", json!([2]), json!([4, 12])), place);
    check_places("the same place", ("F32", json!([3]), json!([0, 12])), place);
    check_places("a hole", ("F32", json!([1]), json!([12, 16])), place);
    check_places("start after end", ("F32", json!([2]), json!([8, 4])), place);
    check_places("beyond the file", ("F32", json!([250]), json!([8, 1008])), uncovered);
    check_places("short of the file", ("F32", json!([1]), json!([8, 12])), uncovered);
    let huge = u64::MAX / 8;
    check_places("almost all of memory", ("U8", json!([huge]), json!([8, huge + 8])), uncovered);
    check_places(
        "a shape larger than its place",
        ("F32", json!([3]), json!([8, 16])),
        "invalid shape, data type, or offset for tensor",
    );
    check_places(
        "2^80 numbers",
        ("F32", json!([1_u64 << 40, 1_u64 << 40]), json!([8, 16])),
        overflow,
    );
    check_places("2^64 bits", ("F32", json!([1_u64 << 59]), json!([8, 16])), overflow);
    check_places(
        "half a byte",
        ("F4", json!([3]), json!([8, 10])),
        "The slice is slicing for subbytes dtypes…",
    );
}

#[test]
fn entries_of_a_header_that_mean_nothing_are_refused() {
    for (case, b) in [
        ("an unknown type", ("F128", json!([2]), json!([8, 16]))),
        ("a negative place", ("F32", json!([2]), json!([-8, 0]))),
        ("a negative size", ("F32", json!([-2]), json!([8, 16]))),
        ("a size that is no integer", ("F32", json!([2.5]), json!([8, 16]))),
        ("one number for a place", ("F32", json!([2]), json!([8]))),
        ("a shape that is no list", ("F32", json!("浦"), json!([8, 16]))),
    ] {
        check_places(case, b, "invalid JSON in header: …");
    }
    check_file("a list", file_of("[]", &[]), "invalid JSON in header: …");
    check_file(
        "metadata that is no text",
        file_of(r#"{"__metadata__": {"format": 1}}"#, &[]),
        "invalid JSON in header: …",
    );
}

#[test]
fn a_tensor_of_another_type_is_refused() {
    for (dtype, bytes_each) in
        [("I64", 8), ("F64", 8), ("I32", 4), ("I16", 2), ("U8", 1), ("BOOL", 1), ("F8_E4M3", 1)]
    {
        check_refused(
            dtype,
            |folder| {
                edit_tensors(folder, |tensors| {
                    let entry = Entry::zeros(dtype, &[96], bytes_each);
                    tensors.insert("model.norm.weight".to_owned(), entry);
                });
            },
            &format!(
                "DIR/model.safetensors: tensor `model.norm.weight`: expected F32, BF16 or F16, \
                 found {dtype}"
            ),
        );
    }
}

#[test]
fn a_tensor_of_another_shape_is_refused() {
    for (name, expected, found) in [
        ("model.norm.weight", vec![96], vec![97]),
        ("model.norm.weight", vec![96], vec![]),
        ("model.norm.weight", vec![96], vec![0]),
        ("model.norm.weight", vec![96], vec![1, 96]),
        ("model.layers.2.attention_norm.weight", vec![96], vec![96, 1]),
        ("model.layers.0.attention.wqkv.weight", vec![160, 96], vec![160 * 96]),
        ("model.layers.1.feed_forward.w1.weight", vec![224, 96], vec![96, 224]),
        ("output.weight", vec![384, 96], vec![383, 96]),
    ] {
        check_refused(
            name,
            |folder| {
                edit_tensors(folder, |tensors| {
                    tensors.insert(name.to_owned(), Entry::zeros("F32", &found, 4));
                });
            },
            &format!(
                "DIR/model.safetensors: tensor `{name}`: expected shape {expected:?}, found \
                 {found:?}"
            ),
        );
    }
}

#[test]
fn a_missing_tensor_is_named_with_its_shape() {
    for (name, shape) in [
        ("model.tok_embeddings.weight", "[384, 96]"),
        ("model.layers.0.attention.wqkv.weight", "[160, 96]"),
        ("model.layers.1.feed_forward.w2.weight", "[96, 224]"),
        ("model.layers.2.ffn_norm.weight", "[96]"),
        ("model.norm.weight", "[96]"),
        ("output.weight", "[384, 96]"),
    ] {
        check_refused(
            name,
            |folder| {
                edit_tensors(folder, |tensors| {
                    assert!(tensors.remove(name).is_some(), "{name} was there");
                });
            },
            &format!("tensor `{name}` of shape {shape} is missing from DIR"),
        );
    }
    check_refused(
        "no tensors at all",
        |folder| write_weights(folder, file_of("{}", &[])),
        "tensor `model.tok_embeddings.weight` of shape [384, 96] is missing from DIR",
    );
}

#[test]
fn a_tensor_without_a_place_in_the_model_is_refused() {
    for (name, shape) in [
        ("model.layers.0.attention.wo.bias", vec![96]),
        ("model.layers.0.attention.wqkv.bias", vec![160]),
        ("model.layers.3.attention_norm.weight", vec![96]),
        ("model.layers.0.attention.wo.qweight", vec![96, 12]),
        ("v_head.weight", vec![1, 96]),
        ("浦语", vec![1]),
    ] {
        check_refused(
            name,
            |folder| {
                edit_tensors(folder, |tensors| {
                    tensors.insert(name.to_owned(), Entry::zeros("F32", &shape, 4));
                });
            },
            &format!(
                "DIR/model.safetensors: tensor `{name}` of shape {shape:?} has no place in this \
                 model; does config.json belong to these weights?"
            ),
        );
    }
}

#[track_caller]
fn check_other_config(field: &str, value: Value, expected: &str) {
    let set = |folder: &Path| {
        edit_config(folder, |config| {
            config.insert(field.to_owned(), value);
        });
    };
    check_refused(field, set, expected);
}

#[test]
fn a_configuration_of_another_model_is_refused() {
    check_other_config(
        "vocab_size",
        json!(400),
        "DIR/model.safetensors: tensor `model.tok_embeddings.weight`: expected shape [400, 96], \
         found [384, 96]",
    );
    check_other_config(
        "num_hidden_layers",
        json!(4),
        "tensor `model.layers.3.attention.wqkv.weight` of shape [160, 96] is missing from DIR",
    );
    check_other_config(
        "num_hidden_layers",
        json!(2),
        "DIR/model.safetensors: tensor `model.layers.2.attention.wo.weight` of shape [96, 96] has \
         no place in this model; does config.json belong to these weights?",
    );
    check_other_config(
        "num_key_value_heads",
        json!(6),
        "DIR/model.safetensors: tensor `model.layers.0.attention.wqkv.weight`: expected shape \
         [288, 96], found [160, 96]",
    );
    check_other_config(
        "bias",
        json!(true),
        "tensor `model.layers.0.attention.wqkv.bias` of shape [160] is missing from DIR",
    );
    check_other_config(
        "model_type",
        json!("llama"),
        "tensor `model.embed_tokens.weight` of shape [384, 96] is missing from DIR",
    );
    check_other_config(
        "architectures",
        json!(["InternLM2ForRewardModel"]),
        "tensor `v_head.weight` of shape [1, 96] is missing from DIR",
    );
}

#[test]
fn an_index_cannot_name_a_file_outside_its_folder() {
    for name in [
        "../evil.safetensors",
        "/evil.safetensors",
        "sub/model.safetensors",
        "sub/../model-00001-of-00002.safetensors",
        "./model-00001-of-00002.safetensors",
        "model-00001-of-00002.safetensors/",
        "..\\evil.safetensors",
        "..",
        ".",
        "",
    ] {
        check_refused(
            name,
            |folder| {
                edit_index(folder, |places| {
                    places.insert("model.norm.weight".to_owned(), json!(name));
                });
            },
            &format!(
                "DIR/model.safetensors.index.json: shard name `{name}` is not a plain file name \
                 inside the folder"
            ),
        );
    }
}

#[test]
fn an_index_that_contradicts_its_shards_is_refused() {
    let absent = |shard: &str, name: &str| {
        format!("DIR/{shard}: the index places tensor `{name}` here, but it is absent")
    };
    check_refused(
        "a tensor that is nowhere",
        |folder| {
            edit_index(folder, |places| {
                places.insert("浦语.weight".to_owned(), json!(SHARDS[0]));
            });
        },
        &absent(SHARDS[0], "浦语.weight"),
    );
    check_refused(
        "a tensor of the other shard",
        |folder| edit_index(folder, |places| places[FIRST] = json!(SHARDS[1])),
        &absent(SHARDS[1], FIRST),
    );
    check_refused(
        "a tensor in both shards",
        |folder| {
            let entry = read_tensors(folder)[FIRST].clone();
            shard(folder);
            let second = fs::read(folder.join(SHARDS[1])).unwrap();
            let mut tensors = Tensors::new();
            for (name, view) in SafeTensors::deserialize(&second).unwrap().iter() {
                let bytes = view.data().to_vec();
                tensors.insert(name.to_owned(), Entry::new("F32", view.shape(), bytes));
            }
            tensors.insert(FIRST.to_owned(), entry);
            write_tensors(&folder.join(SHARDS[1]), &tensors);
        },
        &format!("tensor `{FIRST}` occurs in DIR/{} and again in DIR/{}", SHARDS[0], SHARDS[1]),
    );
    check_refused(
        "a shard that is absent",
        |folder| {
            shard(folder);
            fs::remove_file(folder.join(SHARDS[1])).unwrap();
        },
        &format!("cannot open DIR/{}: …", SHARDS[1]),
    );
    check_refused(
        "a shard that is empty",
        |folder| {
            shard(folder);
            fs::write(folder.join(SHARDS[1]), []).unwrap();
        },
        &format!("DIR/{} is not a valid safetensors file: header too small", SHARDS[1]),
    );
    check_refused(
        "a shard that is another file",
        |folder| {
            edit_index(folder, |places| {
                places.insert("model.norm.weight".to_owned(), json!(CONFIG));
            });
        },
        "DIR/config.json is not a valid safetensors file: header too large",
    );
    check_refused(
        "a name that no file can have",
        |folder| {
            edit_index(folder, |places| {
                places.insert("model.norm.weight".to_owned(), json!("a\0b"));
            });
        },
        "cannot open DIR/a\0b: …",
    );
}

#[test]
fn an_index_of_another_form_is_refused() {
    let form = |rest: &str| {
        format!("DIR/model.safetensors.index.json is not valid JSON of the expected form: {rest}")
    };
    for (text, expected) in [
        ("{", form("EOF while parsing an object at line 1 column 1")),
        ("{}", form("missing field `weight_map` at line 1 column 2")),
        (r#"{"weight_map": 1}"#, form("invalid type: integer `1`, expected a map at line 1…")),
        (r#"{"weight_map": {"a": 1}}"#, form("invalid type: integer `1`, expected a string…")),
        (
            r#"{"weight_map": {}}"#,
            "tensor `model.tok_embeddings.weight` of shape [384, 96] is missing from DIR"
                .to_owned(),
        ),
    ] {
        let index_only = |folder: &Path| {
            fs::remove_file(folder.join(WEIGHTS)).unwrap();
            fs::write(folder.join(INDEX), text).unwrap();
        };
        check_refused(text, index_only, &expected);
    }
    check_refused(
        "an index beyond the limit",
        |folder| {
            fs::remove_file(folder.join(WEIGHTS)).unwrap();
            fs::File::create(folder.join(INDEX)).unwrap().set_len((64 << 20) + 1).unwrap();
        },
        "DIR/model.safetensors.index.json has 67108865 bytes; expected at most 67108864",
    );
}

#[test]
fn a_quantization_that_is_not_read_is_refused() {
    let exact = |found: &str| {
        format!(
            "DIR/config.json: quantization {found} is not read; expected awq gemm of 4 bits with zero points, in whole groups"
        )
    };
    for (quantization, expected) in [
        (
            json!({ "quant_method": "awq", "version": "gemm", "bits": 3, "group_size": 128 }),
            exact("awq gemm of 3 bits, groups of 128, with zero points"),
        ),
        (
            json!({ "quant_method": "awq", "version": "gemv", "bits": 4, "group_size": 64 }),
            exact("awq gemv of 4 bits, groups of 64, with zero points"),
        ),
        (
            json!({ "quant_method": "awq", "bits": 4, "group_size": 0 }),
            exact("awq of 4 bits, groups of 0, with zero points"),
        ),
        (
            json!({ "quant_method": "awq", "bits": 4, "zero_point": false }),
            "DIR/config.json: quantization awq…".to_owned(),
        ),
        (
            json!({ "quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": false }),
            "DIR/config.json: quantization gptq…".to_owned(),
        ),
        (
            json!({ "quant_method": "bitsandbytes", "load_in_4bit": true }),
            "DIR/config.json: quantization bitsandbytes…".to_owned(),
        ),
        (json!({}), "DIR/config.json: quantization of unknown method…".to_owned()),
    ] {
        check_other_config("quantization_config", quantization, &expected);
    }
}

/// A model of a few numbers, so that many damaged copies are cheap.
fn smallest() -> DecoderConfig {
    let mut config = Preset::Tiny.config();
    config.vocab_size = 8;
    config.hidden_size = 8;
    config.intermediate_size = 8;
    (config.n_layers, config.n_heads, config.n_kv_heads) = (1, 2, 1);
    (config.head_dim, config.rope.head_dim) = (4, 4);
    config
}

#[test]
fn no_damage_to_a_byte_of_the_header_makes_loading_panic() {
    let folder = random_folder(&smallest());
    let path = folder.path().join(WEIGHTS);
    let bytes = fs::read(&path).unwrap();
    let n_header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let expected = read_tensors(folder.path());
    let (mut n_tried, mut n_refused) = (0, 0);
    for place in (0..n_header).step_by(3) {
        for flip in [0x01, 0x10, 0x80] {
            let mut damaged = bytes.clone();
            damaged[place] ^= flip;
            fs::write(&path, damaged).unwrap();
            n_tried += 1;
            match try_load(folder.path()) {
                Err(_) => n_refused += 1,
                // Blanks may become other blanks; no number of the model may change.
                Ok(model) => {
                    let again = saved(&model, &SaveOptions::default());
                    assert_eq!(read_tensors(again.path()), expected, "byte {place} ^ {flip}");
                }
            }
        }
    }
    assert!(n_tried >= 500, "{n_tried} copies were tried");
    assert!(n_refused > n_tried * 9 / 10, "{n_refused} of {n_tried} were refused");
}
