use puyu_testkit::{Golden, Tolerance, assert_close, golden_json, shared};

use super::*;

fn parse(json: &str) -> Result<DecoderConfig, ConfigError> {
    DecoderConfig::try_from(&serde_json::from_str::<HfConfig>(json).unwrap())
}

const INTERNLM2: &str = r#"{"model_type":"internlm2","vocab_size":384,"hidden_size":96,
    "intermediate_size":224,"num_hidden_layers":3,"num_attention_heads":6,
    "num_key_value_heads":2,"max_position_embeddings":128,"rms_norm_eps":1e-5,
    "rope_theta":1000000,"bias":false}"#;

#[track_caller]
fn check_refused(change: (&str, &str), message: &str) {
    assert!(INTERNLM2.contains(change.0), "{} is not in the file", change.0);
    let error = parse(&INTERNLM2.replace(change.0, change.1)).unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_file_without_a_needed_field_names_the_field() {
    check_refused((r#""hidden_size":96,"#, ""), "field `hidden_size` is missing");
    check_refused((r#""rms_norm_eps":1e-5,"#, ""), "field `rms_norm_eps` is missing");
    check_refused((r#""model_type":"internlm2","#, ""), "field `model_type` is missing");
}

#[test]
fn values_that_cannot_be_right_are_refused_with_what_was_expected() {
    check_refused(
        ("internlm2", "浦语"),
        "unknown model_type `浦语`; expected internlm, internlm2, internlm3 or llama",
    );
    check_refused(
        (r#""num_key_value_heads":2"#, r#""num_key_value_heads":4"#),
        "field `num_key_value_heads`: expected a divisor of num_attention_heads 6, found 4",
    );
    check_refused(
        (r#""num_key_value_heads":2"#, r#""num_key_value_heads":0"#),
        "field `num_key_value_heads`: expected 1 to 16777216, found 0",
    );
    check_refused(
        (r#""hidden_size":96"#, r#""hidden_size":97"#),
        "field `hidden_size`: expected a multiple of num_attention_heads 6, found 97",
    );
    check_refused(
        (r#""num_hidden_layers":3"#, r#""num_hidden_layers":99999999999"#),
        "field `num_hidden_layers`: expected 1 to 4096, found 99999999999",
    );
    check_refused(
        (r#""rope_theta":1000000"#, r#""rope_theta":0.5"#),
        "field `rope_theta`: expected a finite number above 1, found 0.5",
    );
    check_refused(
        (r#""bias":false"#, r#""rope_scaling":{"type":"magic","factor":2}"#),
        "field `rope_scaling.rope_type`: expected `default`, `linear`, `dynamic`, `llama3` or \
         `yarn`, found magic",
    );
    check_refused(
        (r#""bias":false"#, r#""hidden_act":"gelu""#),
        "field `hidden_act`: expected `silu`, found gelu",
    );
}

#[test]
fn every_preset_is_valid_and_survives_its_own_file() {
    for preset in Preset::ALL {
        let config = preset.config();
        config.validate().unwrap();
        assert_eq!(DecoderConfig::try_from(&HfConfig::from(&config)).unwrap(), config, "{preset}");
        assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
    }
    let error = "internlm9".parse::<Preset>().unwrap_err();
    assert!(error.to_string().contains("internlm2-1.8b"), "{error}");
}

#[test]
fn presets_have_the_released_numbers_of_parameters() {
    // As the released safetensors indices count them.
    let cases = [
        (Preset::InternLm2_1_8B, 1_889_110_016),
        (Preset::InternLm2_7B, 7_737_708_544),
        (Preset::InternLm2_20B, 19_861_149_696),
        (Preset::InternLm3_8B, 8_804_241_408),
        (Preset::Llama2_7B, 6_738_415_616),
        (Preset::Llama3_8B, 8_030_261_248),
    ];
    for (preset, n_parameters) in cases {
        assert_eq!(preset.config().n_parameters(), n_parameters, "{preset}");
    }
}

fn rope(scaling: RopeScaling) -> RopeConfig {
    RopeConfig { theta: 1e4, head_dim: 8, max_position_embeddings: 32, scaling }
}

#[track_caller]
fn check_frequencies(scaling: RopeScaling, n_tokens: usize, expected: [f64; 4]) {
    for (found, expected) in rope(scaling).frequencies(n_tokens).into_iter().zip(expected) {
        assert!((found / expected - 1.0).abs() < 1e-6, "found {found}, expected {expected}");
    }
}

/// Expected values were computed by hand from the formulas of Transformers.
#[test]
fn every_scaling_gives_the_frequencies_of_its_formula() {
    check_frequencies(RopeScaling::None, 99, [1.0, 0.1, 0.01, 0.001]);
    check_frequencies(RopeScaling::Linear { factor: 4.0 }, 1, [0.25, 0.025, 0.0025, 0.00025]);

    // Up to the trained length nothing changes; at twice that the base is 1e4 * 3^(8/6).
    let dynamic = RopeScaling::DynamicNtk { factor: 2.0 };
    check_frequencies(dynamic, 32, [1.0, 0.1, 0.01, 0.001]);
    let base: f64 = 1e4 * 3_f64.powf(8.0 / 6.0);
    let power = |i: f64| base.powf(-i / 4.0);
    check_frequencies(dynamic, 64, [1.0, power(1.0), power(2.0), power(3.0)]);

    // Wavelengths are 6.28, 62.8, 628 and 6283; 1024 / 4 = 256 and 1024 / 1 = 1024 divide them.
    let smooth = (1024.0 / (std::f64::consts::TAU / 0.01) - 1.0) / 3.0;
    let blended = (1.0 - smooth) * 0.01 / 8.0 + smooth * 0.01;
    let llama3 = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 1024.0,
    };
    check_frequencies(llama3, 1, [1.0, 0.1, blended, 0.001 / 8.0]);

    // The ramp runs from pair 0, of 32 turns or more, to pair 4, of one turn or fewer.
    let yarn = RopeScaling::Yarn {
        factor: 4.0,
        original_max_position_embeddings: 1024.0,
        attention_factor: 0.1 * 4_f64.ln() + 1.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
    };
    let d =
        |turns: f64| 8.0 * (1024.0 / (turns * std::f64::consts::TAU)).ln() / (2.0 * 1e4_f64.ln());
    let (low, high) = (d(32.0).floor(), d(1.0).ceil());
    let mix = |i: f64, f: f64| {
        let divided = ((i - low) / (high - low)).clamp(0.0, 1.0);
        f / 4.0 * divided + f * (1.0 - divided)
    };
    check_frequencies(yarn, 1, [mix(0.0, 1.0), mix(1.0, 0.1), mix(2.0, 0.01), mix(3.0, 0.001)]);
    assert!((rope(yarn).attention_factor() - 1.138_629_4).abs() < 1e-6);
}

/// Cosines and sines of the original's positions, with angles and frequencies in f64.
#[track_caller]
fn check_angles(case: &serde_json::Value, golden: &Golden) {
    let name = case["name"].as_str().unwrap();
    let number = |index: usize| case["scaling"][index].as_f64().unwrap();
    let (scaling, trained) = match case["scaling"][0].as_str() {
        None => (RopeScaling::None, 32_768),
        Some("linear") => (RopeScaling::Linear { factor: number(1) }, 32_768),
        Some("dynamic") => (RopeScaling::DynamicNtk { factor: number(1) }, number(2) as usize),
        Some(other) => panic!("{name} has the scaling {other}"),
    };
    let rope = RopeConfig {
        theta: case["theta"].as_f64().unwrap(),
        head_dim: case["head_dim"].as_u64().unwrap() as usize,
        max_position_embeddings: trained,
        scaling,
    };
    rope.validate().unwrap();
    let frequencies = rope.frequencies(case["seq_len"].as_u64().unwrap_or(1) as usize);

    // The original divides the positions by the linear factor, not the frequencies.
    let divisor = if let RopeScaling::Linear { factor } = scaling { factor } else { 1.0 };
    let originals = golden.f64(&format!("rope.{name}.inv_freq_exact"));
    assert_eq!(frequencies.len(), originals.len(), "{name}");
    for (found, original) in frequencies.iter().zip(&originals) {
        let expected = original / divisor;
        assert!((found / expected - 1.0).abs() < 1e-12, "{name}: {found}, expected {expected}");
    }

    let positions = golden.i64(&format!("rope.{name}.pos"));
    assert!(positions.iter().any(|&position| position > 4000), "{name} has late positions");
    let table = |turn: fn(f64) -> f64| -> Vec<f32> {
        let angle = |position: i64| {
            frequencies.iter().map(move |frequency| turn(position as f64 * frequency) as f32)
        };
        positions.iter().flat_map(|&position| angle(position)).collect()
    };
    let tolerance = Tolerance::within(1e-6);
    assert_close(&table(f64::cos), &golden.f32(&format!("rope.{name}.cos_exact")), tolerance);
    assert_close(&table(f64::sin), &golden.f32(&format!("rope.{name}.sin_exact")), tolerance);
}

#[test]
fn frequencies_equal_the_original_for_every_released_base() {
    let Some(folder) = shared("fixtures/ops") else { return };
    let golden = Golden::open(folder.join("golden.safetensors"));
    let json = golden_json(folder.join("golden.json"));
    let cases = json["rope"].as_array().unwrap();
    for kind in [None, Some("linear"), Some("dynamic")] {
        let n_cases = cases.iter().filter(|case| case["scaling"][0].as_str() == kind).count();
        assert!(n_cases > 0, "no case has the scaling {kind:?}");
    }
    for case in cases {
        check_angles(case, &golden);
    }
}
