use std::path::Path;

use ecphory_kernels::Level;

use super::{Decoder, DecoderConfig};
use crate::eval::{Eval, KeyValues};
use crate::executor::TokenBatch;
use crate::precision::Precision;
use crate::weights::Weights;

fn tiny(name: &str) -> Decoder<Eval> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/decoders").join(name);
    let config = DecoderConfig::of_directory(&directory).unwrap();
    let weights = Weights::open(&directory).unwrap();
    Decoder::load(&config, config.positions, &weights, &mut Precision::Stored).unwrap()
}

fn tokens(count: u32, seed: u32) -> Vec<u32> {
    (0..count).map(|i| (i * 37 + seed * 101 + 5) % 277).collect()
}

/// Reads sequences piece by piece, all of them in each batch.
fn cached(decoder: &Decoder<Eval>, sequences: &[Vec<u32>], piece: usize) -> Vec<Vec<f32>> {
    let mut run = Eval::new(Level::detect());
    let mut caches = vec![KeyValues::new(decoder.layers()); sequences.len()];
    let mut states = vec![Vec::new(); sequences.len()];
    let longest = sequences.iter().map(Vec::len).max().unwrap();
    for first in (0..longest).step_by(piece) {
        let pieces = sequences.iter().map(|sequence| {
            let end = sequence.len().min(first + piece);
            &sequence[first.min(end)..end]
        });
        let batch = TokenBatch::new(pieces);
        let made = decoder.forward(&mut run, &batch, Some(&mut caches));
        for (span, states) in batch.spans.iter().zip(&mut states) {
            let values = &made.values()[span.start * made.columns..span.end * made.columns];
            states.extend_from_slice(values);
        }
    }
    states
}

#[test]
fn pieces_and_batches_do_not_change_a_bit() {
    for name in ["llama", "qwen2"] {
        let decoder = tiny(name);
        let sequences = [tokens(40, 1), tokens(7, 2), tokens(1, 3), tokens(33, 4)];
        let whole = cached(&decoder, &sequences, 64);
        for piece in [1, 2, 5, 39] {
            assert_eq!(cached(&decoder, &sequences, piece), whole, "{name}, pieces of {piece}");
        }
        for (sequence, expected) in sequences.iter().zip(&whole) {
            let alone = cached(&decoder, std::slice::from_ref(sequence), 3);
            assert_eq!(alone[0], *expected, "{name}");
        }
    }
}

#[test]
fn caches_equal_reading_everything_at_once() {
    for name in ["llama", "qwen2"] {
        let (decoder, mut run) = (tiny(name), Eval::new(Level::detect()));
        let sequences = [tokens(40, 1), tokens(7, 2), tokens(1, 3)];
        let batch = TokenBatch::new(sequences.iter().map(Vec::as_slice));
        let plain = decoder.forward(&mut run, &batch, None);
        let cached = cached(&decoder, &sequences, 1).concat();
        assert_eq!(plain.values().len(), cached.len());
        for (plain, cached) in plain.values().iter().zip(cached) {
            assert!((plain - cached).abs() < 1e-4, "{name}: {plain} and {cached}");
        }
    }
}
