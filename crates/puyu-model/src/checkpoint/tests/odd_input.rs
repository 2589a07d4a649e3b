//! Folders that are unusual and right: they load, and answer as the usual ones do.

use super::*;

#[test]
fn tables_that_are_computed_are_skipped() {
    for name in [
        "model.layers.0.attention.rotary_emb.inv_freq",
        "model.layers.2.self_attn.rotary_emb.inv_freq",
        "model.layers.1.attention.rotary_emb.cos_cached",
        "model.layers.1.attention.rotary_emb.sin_cached",
    ] {
        check_accepted(name, |folder| {
            edit_tensors(folder, |tensors| {
                tensors.insert(name.to_owned(), Entry::zeros("F32", &[8], 4));
            });
        });
    }
}

#[test]
fn a_head_beside_a_tied_embedding_is_skipped() {
    for (family, name) in [(Family::Llama, "lm_head.weight"), (Family::InternLm2, "output.weight")]
    {
        let config =
            DecoderConfig { family, head: Head::TiedLanguageModel, ..Preset::Tiny.config() };
        let folder = random_folder(&config);
        let expected = outputs(&load(folder.path()));
        edit_tensors(folder.path(), |tensors| {
            assert!(tensors.insert(name.to_owned(), Entry::zeros("F32", &[384, 96], 4)).is_none());
        });
        assert_same(&load(folder.path()), &expected, name);
    }
}

#[test]
fn tensors_at_any_offset_load() {
    for offset in 0..8 {
        check_accepted(&format!("f32, {offset} bytes after a multiple of 8"), |folder| {
            let bytes = file_of_tensors(&read_tensors(folder), offset);
            fs::write(folder.join(WEIGHTS), bytes).unwrap();
        });
    }
}

#[test]
fn half_width_tensors_at_any_offset_load() {
    for weights in [WeightDtype::Bf16, WeightDtype::F16] {
        let folder = saved(&load_as(whole().path(), weights), &SaveOptions::default());
        let tensors = read_tensors(folder.path());
        let expected = outputs(&load(folder.path()));
        for offset in 1..4 {
            fs::write(folder.path().join(WEIGHTS), file_of_tensors(&tensors, offset)).unwrap();
            let case = format!("{weights:?}, {offset} bytes after a multiple of 8");
            assert_same(&load(folder.path()), &expected, &case);
        }
    }
}

#[test]
fn tensors_in_any_order_load() {
    check_accepted("from the last name to the first", |folder| {
        let (mut info, mut data) = (Map::new(), Vec::new());
        for (name, entry) in read_tensors(folder).into_iter().rev() {
            let place = [data.len(), data.len() + entry.bytes.len()];
            data.extend(entry.bytes);
            let entry = json!({ "dtype": "F32", "shape": entry.shape, "data_offsets": place });
            info.insert(name, entry);
        }
        let header = Value::Object(info).to_string();
        fs::write(folder.join(WEIGHTS), file_of(&header, &data)).unwrap();
    });
}

#[test]
fn what_lies_beside_the_weights_is_not_read() {
    check_accepted("a pickle", |folder| {
        fs::write(folder.join("pytorch_model.bin"), "import os").unwrap();
    });
    check_accepted("an index beside the one file", |folder| {
        fs::write(folder.join(INDEX), "not even JSON, 浦语").unwrap();
    });
}

#[test]
fn a_configuration_of_exactly_a_mebibyte_is_read() {
    check_accepted("padded with blanks", |folder| {
        let mut text = fs::read(folder.join(CONFIG)).unwrap();
        text.resize(1 << 20, b' ');
        fs::write(folder.join(CONFIG), text).unwrap();
    });
}

#[test]
fn defaults_for_sampling_are_read_where_they_are_given() {
    let folder = whole();
    assert!(Checkpoint::open(&folder).unwrap().generation().is_none());
    let text = r#"{"eos_token_id": [2, 92542], "temperature": 0.8, "注": "浦语", "top_k": null}"#;
    fs::write(folder.path().join(GENERATION), text).unwrap();
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let generation = checkpoint.generation().unwrap();
    assert_eq!(generation.eos_token_id.as_slice(), [2, 92_542]);
    assert_eq!(generation.temperature, Some(0.8));
    assert_eq!(generation.top_k, None);
}

#[test]
fn an_opened_folder_tells_what_it_is_before_weights_are_read() {
    let folder = whole();
    fs::remove_file(folder.path().join(WEIGHTS)).unwrap();
    let checkpoint = Checkpoint::open(&folder).unwrap();
    assert_eq!(checkpoint.folder(), folder.path());
    assert_eq!(*checkpoint.config(), Preset::Tiny.config());
}
