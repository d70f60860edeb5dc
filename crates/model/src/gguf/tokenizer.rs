//! The tokenizer in a GGUF file's metadata, written as the `tokenizer.json` it was converted from.
//!
//! Byte-level BPE only (`tokenizer.ggml.model` is `gpt2`). How a text is cut before merging is named by
//! `tokenizer.ggml.pre`; llama.cpp keeps a table of regular expressions by these names, of which the families that are
//! supported are here. Not for vocabularies of `SentencePiece` (`llama`).

use serde_json::{Map, Value, json};

use super::metadata::Metadata;
use crate::error::Result;

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const BOS: &str = "tokenizer.ggml.bos_token_id";
const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";

/// Types of tokens that are found in a text before it is cut.
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;

/// Cuts between words, numbers and signs as GPT-4's tokenizer does, numbers into so many digits.
const fn gpt4_pattern(three_digits: bool) -> &'static str {
    if three_digits {
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    } else {
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    }
}

/// Writes the `tokenizer.json` of a file.
pub(crate) fn tokenizer_json(metadata: &Metadata) -> Result<Vec<u8>> {
    let model = metadata.required(MODEL, metadata.text(MODEL)?)?;
    if model != "gpt2" {
        return Err(metadata.unsupported(MODEL, model, "gpt2 (byte-level BPE)"));
    }
    let tokens = metadata.required(TOKENS, metadata.texts(TOKENS)?)?;
    let pre = metadata.text(PRE)?.unwrap_or("gpt-2");
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
    });
    let cut = cutting(pre).ok_or_else(|| metadata.unsupported(PRE, pre, CUTTINGS))?;
    let nfc = if pre == "qwen2" { json!({"type": "NFC"}) } else { Value::Null };
    let file = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(metadata, &tokens)?,
        "normalizer": nfc,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [cut, byte_level]},
        "post_processor": frame(metadata, &tokens)?,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": pre == "llama-bpe",
            "vocab": vocabulary(metadata, &tokens)?,
            "merges": merges(metadata)?,
        },
    });
    Ok(file.to_string().into_bytes())
}

/// The names that [`cutting`] knows.
const CUTTINGS: &str = "gpt-2, smollm, qwen2, llama-bpe";

/// Returns how a text is cut before merging.
fn cutting(pre: &str) -> Option<Value> {
    let split = |pattern: &str| {
        json!({
            "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false,
        })
    };
    let gpt2 = split(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+");
    Some(match pre {
        "gpt-2" | "default" => gpt2,
        "smollm" => json!({
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": true}, gpt2],
        }),
        "qwen2" => split(gpt4_pattern(false)),
        "llama-bpe" => split(gpt4_pattern(true)),
        _ => return None,
    })
}

fn vocabulary(metadata: &Metadata, tokens: &[&str]) -> Result<Value> {
    let mut ids = Map::with_capacity(tokens.len());
    for (id, token) in tokens.iter().enumerate() {
        if ids.insert((*token).to_owned(), id.into()).is_some() {
            return Err(metadata.unsupported(TOKENS, &format!("{token:?} twice"), "once each"));
        }
    }
    Ok(Value::Object(ids))
}

fn merges(metadata: &Metadata) -> Result<Vec<Value>> {
    let merges = metadata.required(MERGES, metadata.texts(MERGES)?)?;
    let pair = |merge: &str| match merge.split_once(' ') {
        Some((left, right)) => Ok(json!([left, right])),
        None => Err(metadata.unsupported(MERGES, &format!("{merge:?}"), "two tokens and a space")),
    };
    merges.into_iter().map(pair).collect()
}

fn added_tokens(metadata: &Metadata, tokens: &[&str]) -> Result<Vec<Value>> {
    let types = metadata.integers(TYPES)?.unwrap_or_default();
    if !types.is_empty() && types.len() != tokens.len() {
        let found = format!("{} types", types.len());
        return Err(metadata.unsupported(TYPES, &found, &format!("{}, one a token", tokens.len())));
    }
    let added = types.iter().zip(tokens).enumerate().filter_map(|(id, (kind, token))| {
        let is_added = matches!(*kind, CONTROL | USER_DEFINED);
        is_added.then(|| {
            json!({
                "id": id, "content": token, "special": *kind == CONTROL,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            })
        })
    });
    Ok(added.collect())
}

/// Puts the token of a text's beginning before it, where the file asks for that.
fn frame(metadata: &Metadata, tokens: &[&str]) -> Result<Value> {
    if !metadata.bool(ADD_BOS)?.unwrap_or(false) {
        return Ok(Value::Null);
    }
    let id = metadata.required(BOS, metadata.integer(BOS)?)?;
    let outside = || metadata.unsupported(BOS, &id.to_string(), "a token of the vocabulary");
    let token = *tokens.get(id).ok_or_else(outside)?;
    let mark = json!({"SpecialToken": {"id": token, "type_id": 0}});
    let text = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    Ok(json!({
        "type": "TemplateProcessing",
        "single": [mark, text("A")],
        "pair": [mark, text("A"), text("B")],
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}},
    }))
}
