//! Greedy tokens of the original. Margins between the best and the second logit are at least 1e-3
//! along the way, so a mismatch is an error and not rounding.

use puyu_testkit::{golden_json, shared};

use super::*;
use crate::NtkRule;

#[test]
fn greedy_tokens_equal_the_original() {
    for name in LANGUAGE_MODELS {
        let Some(folder) = tiny(name) else { return };
        let model = load(&folder);
        let json = golden_json(folder.join("golden.json"));
        let case = &json["greedy"];
        let prompt = ids_of(&case["prompt"]);
        let key =
            if case["new_tokens"].is_array() { "new_tokens" } else { "hf_generate_with_cache" };
        let expected = ids_of(&case[key]);
        let found = greedy(&model, &[prompt], expected.len(), None);
        assert_eq!(found, [expected], "{name}");
    }
}

#[test]
fn every_rule_beyond_the_trained_length_gives_its_own_tokens() {
    let rules = [
        (NtkRule::RotateAllKeys, "recompute_every_step"),
        (NtkRule::FixedAtPrompt, "base_fixed_at_prompt_length"),
    ];
    for name in ["internlm1-tiny-ntk", "internlm2-tiny-ntk", "internlm3-tiny"] {
        let Some(folder) = tiny(name) else { return };
        let model = load(&folder);
        let json = golden_json(folder.join("golden.json"));
        let prompt = ids_of(&json["greedy"]["prompt"]);
        for (rule, key) in rules {
            let expected = ids_of(&json["greedy"][key]);
            let found = greedy(&model, std::slice::from_ref(&prompt), expected.len(), Some(rule));
            assert_eq!(found, [expected], "{name}, {rule:?}");
        }
    }
}

#[test]
fn greedy_tokens_of_a_left_padded_batch_equal_the_original() {
    let mut n_batches = 0;
    for name in LANGUAGE_MODELS {
        let Some(folder) = tiny(name) else { return };
        let json = golden_json(folder.join("golden.json"));
        let Some(rows) = json["greedy_batch"]["rows"].as_array() else { continue };
        let prompts: Vec<Vec<u32>> = rows.iter().map(ids_of).collect();
        let expected: Vec<Vec<u32>> =
            json["greedy_batch"]["new_tokens"].as_array().unwrap().iter().map(ids_of).collect();
        let found = greedy(&load(&folder), &prompts, expected[0].len(), None);
        assert_eq!(found, expected, "{name}");
        n_batches += 1;
    }
    assert!(n_batches >= 3, "{n_batches} models have a padded batch");
}

#[test]
fn a_real_model_tells_its_published_stories() {
    let Some(folder) = shared("fixtures/stories260k") else { return };
    let model = load(&folder);
    let json = golden_json(folder.join("golden.json"));
    let cases = json["generation"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let prompt = ids_of(&case["prompt_ids"]);
        let expected = ids_of(&case["new_ids"]);
        assert_eq!(greedy(&model, &[prompt], expected.len(), None), [expected]);
    }
}
