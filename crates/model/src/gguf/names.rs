//! From llama.cpp's names of tensors to those of Hugging Face.

/// The names outside the layers.
const OUTSIDE: [(&str, &str); 3] = [
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

/// The names inside a layer, without `weight` and `bias`.
const INSIDE: [(&str, &str); 9] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// Translates a name, or returns `None` for a tensor that no supported architecture has.
pub(crate) fn hugging_face(name: &str) -> Option<String> {
    if let Some((_, theirs)) = OUTSIDE.iter().find(|(ours, _)| *ours == name) {
        return Some((*theirs).to_owned());
    }
    let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let (stem, part) = rest.rsplit_once('.')?;
    let known = layer.parse::<u32>().is_ok() && matches!(part, "weight" | "bias");
    let (_, theirs) = INSIDE.iter().find(|(ours, _)| known && *ours == stem)?;
    Some(format!("model.layers.{layer}.{theirs}.{part}"))
}
