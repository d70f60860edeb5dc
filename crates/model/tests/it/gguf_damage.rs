//! Damaged and unsupported decoders: each gives an error of its kind that says what is wrong, and never a panic.

use std::path::{Path, PathBuf};

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::{Error, GenerateOptions, Generator, GeneratorOptions, Message, Prompt};
use tempfile::TempDir;

use crate::support::{golden, pool};

fn tiny() -> Vec<u8> {
    fs_err::read(golden("decoders/gguf/tiny.gguf")).unwrap()
}

fn open(path: &Path) -> Result<Generator, Error> {
    Generator::open(path, &GeneratorOptions { max_tokens: Some(16) })
}

/// Opens a file with some bytes.
fn open_bytes(folder: &TempDir, bytes: &[u8]) -> Result<Generator, Error> {
    let path = folder.path().join("model.gguf");
    fs_err::write(&path, bytes).unwrap();
    open(&path)
}

/// Where the header ends and the tensors begin.
fn header_bytes(file: &[u8]) -> usize {
    let last = file.windows(24).rposition(|w| w.starts_with(b"blk.1.ffn_down.weight")).unwrap();
    // The name, the number of dimensions, two dimensions, the type, the offset.
    last + 21 + 4 + 16 + 4 + 8
}

/// Replaces bytes that come once.
fn replace(file: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<usize> =
        (0..file.len() - from.len()).filter(|at| file[*at..].starts_with(from)).collect();
    assert_eq!(places.len(), 1, "{from:?} comes once");
    [&file[..places[0]], to, &file[places[0] + from.len()..]].concat()
}

/// A key with a value as they stand in a file.
fn entry(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    let length = (key.len() as u64).to_le_bytes();
    [&length[..], key.as_bytes(), &kind.to_le_bytes(), value].concat()
}

fn text(key: &str, value: &str) -> Vec<u8> {
    entry(key, 8, &[&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat())
}

fn check(bytes: &[u8], kind: ErrorKind, hint: &str) {
    let folder = tempfile::tempdir().unwrap();
    let error = open_bytes(&folder, bytes).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(hint), "{message}");
    assert!(message.contains("model.gguf"), "{message}");
    assert_eq!(error.kind(), kind, "{message}");
}

#[test]
fn a_file_that_was_cut_short_is_corrupt_at_every_length() {
    let (file, folder) = (tiny(), tempfile::tempdir().unwrap());
    let header = header_bytes(&file);
    for length in (4..header).chain((header..file.len()).step_by(997)).chain([file.len() - 1]) {
        let error = open_bytes(&folder, &file[..length]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}: {error}");
    }
    for length in 0..4 {
        assert!(open_bytes(&folder, &file[..length]).is_err());
    }
}

#[test]
fn a_flipped_byte_of_the_header_never_panics() {
    let (file, folder, pool) = (tiny(), tempfile::tempdir().unwrap(), pool(1));
    let (mut refused, mut opened) = (0, 0);
    for at in (0..header_bytes(&file)).step_by(5) {
        let mut flipped = file.clone();
        flipped[at] ^= [1, 0x80, 0x20, 0xff][at % 4];
        match open_bytes(&folder, &flipped) {
            Err(_) => refused += 1,
            Ok(generator) => {
                opened += 1;
                let options = GenerateOptions { max_new_tokens: 2, ..GenerateOptions::default() };
                // Any answer but a panic will do: a flipped letter of a token is still a token.
                let _ = generator.generate(&Prompt::Text("the cat"), &options, &pool, &Silent);
            }
        }
    }
    assert!(refused > 600 && opened > 120, "{refused} refused, {opened} opened");
}

#[test]
fn headers_that_contradict_themselves_are_named() {
    let file = tiny();
    let with = |at: usize, bytes: &[u8]| [&file[..at], bytes, &file[at + bytes.len()..]].concat();
    let last = header_bytes(&file);
    check(&with(0, b"GGML"), ErrorKind::Input, "begins with");
    check(&with(4, &1u32.to_le_bytes()), ErrorKind::Input, "version is 1");
    check(&with(4, &3u32.to_be_bytes()), ErrorKind::Input, "little-endian");
    check(&with(8, &u64::MAX.to_le_bytes()), ErrorKind::Corrupt, "cut off");
    check(&with(last - 8, &(1u64 << 40).to_le_bytes()), ErrorKind::Corrupt, "outside the file");
    check(&with(last - 8, &(u64::MAX - 31).to_le_bytes()), ErrorKind::Corrupt, "outside the file");
    check(&with(last - 8, &1u64.to_le_bytes()), ErrorKind::Corrupt, "not on its alignment");
    check(&with(last - 8, &0u64.to_le_bytes()), ErrorKind::Corrupt, "inside another tensor");
    check(
        &with(last - 12, &39u32.to_le_bytes()),
        ErrorKind::Input,
        "has type 39, supported: F32 (0)",
    );
    check(&with(last - 28, &255u64.to_le_bytes()), ErrorKind::Corrupt, "in blocks of 256");
    check(&with(last - 28, &(1u64 << 62).to_le_bytes()), ErrorKind::Corrupt, "dimensions");
    check(&with(last - 28, &0u64.to_le_bytes()), ErrorKind::Corrupt, "dimensions");
    check(&with(last - 32, &9u32.to_le_bytes()), ErrorKind::Corrupt, "dimensions");
}

#[test]
fn metadata_that_are_missing_or_not_supported_are_named() {
    let file = tiny();
    let input = ErrorKind::Input;
    // Replacements are as long as what they replace: tensors lie where they did.
    let pre = replace(
        &file,
        &text("tokenizer.ggml.pre", "smollm"),
        &text("tokenizer.ggml.pre", "hollow"),
    );
    let hint = "tokenizer.ggml.pre is hollow, expected gpt-2, smollm, qwen2, llama-bpe";
    check(&pre, input, hint);
    let other = replace(
        &file,
        &text("general.architecture", "llama"),
        &text("general.architecture", "mamba"),
    );
    check(&other, input, "general.architecture is mamba, expected llama, qwen2");
    let other = replace(
        &file,
        &text("tokenizer.ggml.model", "gpt2"),
        &text("tokenizer.ggml.model", "bert"),
    );
    check(&other, input, "tokenizer.ggml.model is bert");
    let other = replace(&file, b"llama.attention.head_count_kv", b"llama.attention.head_count_kw");
    check(&other, ErrorKind::Corrupt, "has shape");
    let other = replace(&file, b"llama.block_count", b"llama.block_cownt");
    check(&other, input, "llama.block_count is missing");
    let rows = entry("llama.attention.head_count_kv", 4, &2u32.to_le_bytes());
    let other =
        replace(&file, &rows, &entry("llama.attention.head_count_kv", 4, &3u32.to_le_bytes()));
    check(&other, input, "num_key_value_heads is 3, expected a divisor of the 4 heads");
    let other = replace(&file, b"blk.1.attn_norm.weight", b"blk.1.attn_horn.weight");
    check(&other, input, "has a tensor blk.1.attn_horn.weight, which is not supported");
    let other = replace(&file, b"blk.1.attn_norm.weight", b"blk.7.attn_norm.weight");
    check(&other, ErrorKind::Corrupt, "has no tensor model.layers.1.input_layernorm.weight");
}

/// Copies a small model in the Hugging Face layout.
fn copy(name: &str) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs_err::copy(golden("decoders").join(name).join(file), to.path().join(file)).unwrap();
    }
    to
}

#[test]
fn configurations_that_are_not_supported_are_named() {
    for (from, to, hint) in [
        (r#""llama""#, r#""gemma3""#, "model_type is gemma3, supported: llama, qwen2"),
        (r#""silu""#, r#""gelu""#, "hidden_act is gelu, supported: silu"),
        (r#""default""#, r#""llama3""#, "rope_type is llama3, supported: default"),
        (r#""head_dim": 8"#, r#""head_dim": 7"#, "head_dim is 7, supported: an even number"),
        (r#""num_hidden_layers": 2"#, r#""num_hidden_layers": 0"#, "num_hidden_layers is 0"),
        (r#""max_position_embeddings": 320"#, r#""max_position_embeddings": 9000000"#, "9000000"),
    ] {
        let copy = copy("llama");
        let path = copy.path().join("config.json");
        let config = fs_err::read_to_string(&path).unwrap();
        assert!(config.contains(from));
        fs_err::write(&path, config.replace(from, to)).unwrap();
        let error = open(copy.path()).unwrap_err();
        assert!(error.to_string().contains(hint), "{error}");
        assert_eq!(error.kind(), ErrorKind::Input);
    }
}

#[test]
fn files_that_are_missing_or_too_many_are_named() {
    for file in ["tokenizer.json", "model.safetensors"] {
        let copy = copy("qwen2");
        fs_err::remove_file(copy.path().join(file)).unwrap();
        let error = open(copy.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains(file), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("config.json or *.gguf"), "{error}");
    assert_eq!(open(&PathBuf::from("no/such/model")).unwrap_err().kind(), ErrorKind::NotFound);
    for name in ["a.gguf", "b.GGUF"] {
        fs_err::write(folder.path().join(name), tiny()).unwrap();
    }
    let error = open(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("has 2 GGUF files; name one of them"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(open(&folder.path().join("a.gguf")).unwrap().name(), "a.gguf");
}

#[test]
fn a_model_without_markers_takes_no_conversation() {
    let copy = copy("llama");
    let path = copy.path().join("tokenizer.json");
    let tokenizer = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, tokenizer.replace("<|im_start|>", "<|no_start|>")).unwrap();
    let generator = open(copy.path()).unwrap();
    assert!(!generator.has_chat());
    let messages = [Message::user("the cat")];
    let error = generator.tokens(&Prompt::Chat(&messages)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("ChatML"));
}
