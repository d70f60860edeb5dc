use std::path::Path;

use serde::Deserialize;

use super::Gguf;
use crate::stored::Stored;

#[derive(Deserialize)]
struct Blocks {
    number: u32,
    name: String,
    bytes: String,
    values: String,
}

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().as_chunks::<2>().0.iter();
    pairs.map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap()).collect()
}

#[test]
fn blocks_of_every_type_equal_the_reference_package_to_the_bit() {
    let golden = fs_err::read(golden("blocks.json")).unwrap();
    let golden: Vec<Blocks> = serde_json::from_slice(&golden).unwrap();
    assert_eq!(golden.len(), 11);
    for case in golden {
        let stored = Stored::of_ggml(case.number).unwrap();
        assert!(Stored::ggml_names().contains(&format!("{} ({})", case.name, case.number)));
        let (bytes, expected) = (unhex(&case.bytes), unhex(&case.values));
        let expected = expected.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b));
        let expected: Vec<u32> = expected.collect();
        assert_eq!(stored.bytes_of(expected.len()), bytes.len());
        let mut values = vec![0.0; expected.len()];
        stored.decode(&bytes, &mut values, |to, value| *to = value);
        let bits: Vec<u32> = values.iter().map(|v| v.to_bits()).collect();
        assert_eq!(bits, expected, "{}", case.name);
    }
}

#[test]
fn the_header_of_a_file_is_read() {
    let file = Gguf::open(&golden("decoders/gguf/tiny.gguf")).unwrap();
    let metadata = &file.metadata;
    assert_eq!(metadata.text("general.architecture").unwrap(), Some("llama"));
    assert_eq!(metadata.integer("llama.embedding_length").unwrap(), Some(32));
    assert_eq!(metadata.float("llama.rope.freq_base").unwrap(), Some(20_000.0));
    assert_eq!(metadata.bool("tokenizer.ggml.add_bos_token").unwrap(), Some(false));
    assert_eq!(metadata.texts("tokenizer.ggml.tokens").unwrap().unwrap().len(), 277);
    assert_eq!(metadata.integers("tokenizer.ggml.token_type").unwrap().unwrap()[..4], [3, 3, 3, 1]);
    assert_eq!(metadata.text("general.nothing").unwrap(), None);
    let error = metadata.integer("general.architecture").unwrap_err().to_string();
    assert!(
        error.ends_with("general.architecture is a text, expected a number that is not negative")
    );
    let down = &file.tensors["blk.1.ffn_down.weight"];
    assert_eq!((down.shape.as_slice(), down.stored), (&[32, 256][..], Stored::Q6K));
    assert_eq!(down.range.len(), 32 * 210);
}
