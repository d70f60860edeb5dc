//! The real MiniLM against PyTorch, where the model is in the cache.

use ecphory_core::Silent;
use ecphory_model::Role;
use serde::Deserialize;

use crate::support::{assert_close, cached_model, encode, golden, open, pool};

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
}

fn read_golden() -> Golden {
    let text = fs_err::read_to_string(golden("minilm.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn embeddings_equal_pytorch() {
    let Some(directory) = cached_model("minilm") else { return };
    let encoder = open(&directory);
    assert_eq!((encoder.dimensions(), encoder.max_tokens()), (384, 256));
    assert!(encoder.normalized() && encoder.notes().is_empty());
    let golden = read_golden();
    let texts: Vec<&str> = golden.texts.iter().map(String::as_str).collect();
    let vectors = encode(&encoder, &texts, Role::Document);
    assert_close(&texts, &vectors, &golden.vectors, 1e-4);
    // MiniLM has no prompts.
    assert_eq!(vectors, encode(&encoder, &texts, Role::Query));
}

#[test]
fn batch_order_and_threads_do_not_change_a_bit() {
    let Some(directory) = cached_model("minilm") else { return };
    let encoder = open(&directory);
    let golden = read_golden();
    let texts: Vec<&str> = golden.texts.iter().map(String::as_str).collect();
    let together = encode(&encoder, &texts, Role::Document);
    let one = pool(1);
    for (index, text) in texts.iter().enumerate() {
        let alone = encoder.encode(&[text], Role::Document, &one, &Silent).unwrap();
        assert_eq!(alone, together[index * 384..][..384], "{text:?}");
    }
}
