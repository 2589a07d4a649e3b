use super::*;

#[test]
fn control_tokens_bytes_pieces_and_chat_tokens_follow_each_other() {
    let json = tokenizer_json(&["h", "i", "hi", "天"], &["h i"], &["<|im_start|>", "<|im_end|>"]);
    let vocabulary = json["model"]["vocab"].as_object().unwrap();
    let first = u64::from(FIRST_PIECE);
    let names = ["<unk>", "</s>", "<0x00>", "<0xFF>", "h", "天"];
    for (name, id) in names.into_iter().zip([0, 2, 3, first - 1, first, first + 3]) {
        assert_eq!(vocabulary[name], id, "{name}");
    }
    assert_eq!(vocabulary.len() as u64, first + 4);
    let special = json["added_tokens"].as_array().unwrap();
    let ids: Vec<u64> = special.iter().map(|token| token["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [0, 1, 2, first + 4, first + 5]);
}
