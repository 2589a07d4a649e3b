//! Tensor names of each family. The only place that knows them.

use crate::config::{DecoderConfig, Family, Head};

/// Names of the tensors outside the layers.
pub(super) struct RootNames {
    pub(super) embedding: &'static str,
    pub(super) norm: &'static str,
    pub(super) head: &'static str,
}

/// Names of one layer's modules, without `.weight` and `.bias`.
pub(super) struct LayerNames {
    pub(super) attention_norm: String,
    pub(super) mlp_norm: String,
    pub(super) qkv: QkvNames,
    pub(super) output: String,
    pub(super) gate: String,
    pub(super) up: String,
    pub(super) down: String,
}

/// Names of the projections into heads.
pub(super) enum QkvNames {
    Packed(String),
    Separate { query: String, key: String, value: String },
}

pub(super) fn root(config: &DecoderConfig) -> RootNames {
    let is_reward = config.head == Head::Reward;
    match config.family {
        Family::InternLm2 => RootNames {
            embedding: "model.tok_embeddings.weight",
            norm: "model.norm.weight",
            head: if is_reward { "v_head" } else { "output" },
        },
        _ => RootNames {
            embedding: "model.embed_tokens.weight",
            norm: "model.norm.weight",
            head: if is_reward { "v_head" } else { "lm_head" },
        },
    }
}

pub(super) fn layer(family: Family, layer: usize) -> LayerNames {
    let name = |module: &str| format!("model.layers.{layer}.{module}");
    match family {
        Family::InternLm2 => LayerNames {
            attention_norm: name("attention_norm.weight"),
            mlp_norm: name("ffn_norm.weight"),
            qkv: QkvNames::Packed(name("attention.wqkv")),
            output: name("attention.wo"),
            gate: name("feed_forward.w1"),
            up: name("feed_forward.w3"),
            down: name("feed_forward.w2"),
        },
        _ => LayerNames {
            attention_norm: name("input_layernorm.weight"),
            mlp_norm: name("post_attention_layernorm.weight"),
            qkv: QkvNames::Separate {
                query: name("self_attn.q_proj"),
                key: name("self_attn.k_proj"),
                value: name("self_attn.v_proj"),
            },
            output: name("self_attn.o_proj"),
            gate: name("mlp.gate_proj"),
            up: name("mlp.up_proj"),
            down: name("mlp.down_proj"),
        },
    }
}

/// Whether released files carry this tensor although it is computed, not learned.
pub(super) fn is_computed(name: &str) -> bool {
    ["rotary_emb.inv_freq", "rotary_emb.cos_cached", "rotary_emb.sin_cached"]
        .iter()
        .any(|suffix| name.ends_with(suffix))
}

/// Name and shape of every tensor of a model, in the order of computation.
pub(super) fn all(config: &DecoderConfig) -> Vec<(String, Vec<usize>)> {
    let (d, f) = (config.hidden_size, config.intermediate_size);
    let (q, kv) = (config.query_width(), config.kv_width());
    let root = root(config);
    let mut tensors = vec![(root.embedding.to_owned(), vec![config.vocab_size, d])];
    let mut linear = |name: &str, shape: [usize; 2], has_bias: bool| {
        tensors.push((format!("{name}.weight"), shape.to_vec()));
        if has_bias {
            tensors.push((format!("{name}.bias"), vec![shape[0]]));
        }
    };
    for index in 0..config.n_layers {
        let names = layer(config.family, index);
        match &names.qkv {
            QkvNames::Packed(name) => linear(name, [q + 2 * kv, d], config.qkv_bias),
            QkvNames::Separate { query, key, value } => {
                linear(query, [q, d], config.qkv_bias);
                linear(key, [kv, d], config.qkv_bias);
                linear(value, [kv, d], config.qkv_bias);
            }
        }
        linear(&names.output, [d, q], config.output_bias);
        linear(&names.gate, [f, d], config.mlp_bias);
        linear(&names.up, [f, d], config.mlp_bias);
        linear(&names.down, [d, f], config.mlp_bias);
    }
    match config.head {
        Head::LanguageModel => linear(root.head, [config.vocab_size, d], false),
        Head::Reward => linear(root.head, [1, d], false),
        Head::TiedLanguageModel => {}
    }
    for index in 0..config.n_layers {
        let names = layer(config.family, index);
        tensors.push((names.attention_norm, vec![d]));
        tensors.push((names.mlp_norm, vec![d]));
    }
    tensors.push((root.norm.to_owned(), vec![d]));
    tensors
}
