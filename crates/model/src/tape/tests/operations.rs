//! Every operation alone, and some together.

use std::sync::Arc;

use ecphory_core::storage::Bytes;
use ecphory_kernels::nn::Activation;
use proptest::prelude::*;

use super::chain::{Chain, Op};
use super::{check, values};
use crate::attention::{Attention, Reach};
use crate::executor::{NormKind, Summary, TokenBatch};
use crate::relative::RelativeBias;
use crate::rotary::Rotary;
use crate::stored::Stored;
use crate::tensor::Tensor;

const ACTIVATIONS: [Activation; 6] = [
    Activation::None,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Relu,
    Activation::Tanh,
    Activation::Silu,
];

/// Sequences of such lengths over a vocabulary of `rows`.
fn batch(lengths: &[usize], rows: usize) -> TokenBatch {
    let sequences: Vec<Vec<u32>> = lengths
        .iter()
        .enumerate()
        .map(|(i, &length)| {
            (0..length).map(|at| ((at * 5 + i * 3 + at / 7) % rows) as u32).collect()
        })
        .collect();
    TokenBatch::new(sequences.iter().map(|sequence| &sequence[..]))
}

fn chain(columns: usize, rows: usize, ops: Vec<Op>) -> Chain {
    Chain { columns, rows, ops }
}

fn linear(parts: &[usize], activation: Activation) -> Op {
    Op::Linear { parts: parts.to_vec(), has_bias: true, activation }
}

#[test]
fn embeddings_alone() {
    check(&chain(3, 6, vec![]), &batch(&[4, 1, 6], 6), 100);
    check(&chain(1, 6, vec![]), &batch(&[0, 2], 6), 100);
}

#[test]
fn norms() {
    for (kind, has_bias) in
        [(NormKind::Layer, true), (NormKind::Layer, false), (NormKind::RootMeanSquare, false)]
    {
        for columns in [2, 7, 19] {
            let ops = vec![Op::Norm { kind, has_bias }, linear(&[3], Activation::None)];
            check(&chain(columns, 9, ops), &batch(&[5, 0, 1, 9], 9), 40);
        }
    }
}

#[test]
fn linear_maps_with_every_activation() {
    for activation in ACTIVATIONS {
        let ops = vec![linear(&[5], activation), linear(&[3], Activation::None)];
        check(&chain(7, 8, ops), &batch(&[3, 1, 8], 8), 60);
    }
    let without =
        Op::Linear { parts: vec![4, 1, 17], has_bias: false, activation: Activation::Tanh };
    check(&chain(1, 8, vec![without]), &batch(&[2], 8), 60);
}

#[test]
fn residuals() {
    for activation in [Activation::Gelu, Activation::None] {
        let twice = || Op::Residual { inner: 5, activation };
        check(&chain(6, 8, vec![twice(), twice()]), &batch(&[4, 2, 0], 8), 40);
    }
}

#[test]
fn gates() {
    for activation in [Activation::Gelu, Activation::Silu] {
        let ops = vec![
            linear(&[18], Activation::None),
            Op::Gate(activation),
            linear(&[4], Activation::None),
        ];
        check(&chain(5, 8, ops), &batch(&[4, 1], 8), 60);
    }
    // The gate of something that no product made.
    check(&chain(6, 8, vec![Op::Gate(Activation::Tanh)]), &batch(&[4, 1], 8), 60);
}

#[test]
fn summaries() {
    for summary in [Summary::First, Summary::Mean] {
        let ops = vec![
            linear(&[6], Activation::Tanh),
            Op::Summarize(summary),
            linear(&[4], Activation::Tanh),
            linear(&[1], Activation::None),
        ];
        check(&chain(5, 9, ops), &batch(&[4, 0, 1, 7, 0], 9), 60);
        // Of embeddings, with nothing behind it.
        check(&chain(5, 9, vec![Op::Summarize(summary)]), &batch(&[3, 2], 9), 60);
    }
}

fn attention(heads: usize, kv_heads: usize, width: usize, reach: Reach) -> Attention {
    Attention { kv_heads, reach, ..Attention::full(heads, width) }
}

fn with_rotary(attention: Attention) -> Attention {
    let rotary = Some(Rotary::new(50.0, attention.width, 256));
    Attention { rotary, ..attention }
}

fn with_bias(attention: Attention) -> Attention {
    let values = values(8 * attention.heads, 3);
    let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let table = Tensor {
        name: "bias".to_owned(),
        path: Arc::default(),
        shape: vec![8, attention.heads],
        stored: Stored::F32,
        bytes: Bytes::from_vec(bytes),
        interleaved: None,
    };
    Attention { bias: Some(RelativeBias::new(&table, 256)), ..attention }
}

/// Attention over what a linear map made, with a product behind it.
fn attended(attention: Attention) -> Chain {
    let Attention { heads, kv_heads, width, .. } = attention;
    let parts = [heads * width, kv_heads * width, kv_heads * width];
    let ops = vec![
        linear(&parts, Activation::None),
        Op::Attend(attention),
        linear(&[3], Activation::None),
    ];
    chain(4, 130, ops)
}

#[test]
fn attention_of_every_kind() {
    for attention in [
        attention(1, 1, 1, Reach::All),
        attention(2, 2, 3, Reach::All),
        attention(4, 2, 2, Reach::Causal),
        attention(3, 1, 4, Reach::Window(1)),
        with_rotary(attention(2, 2, 4, Reach::All)),
        with_rotary(attention(4, 2, 2, Reach::Causal)),
        with_bias(attention(2, 2, 3, Reach::All)),
    ] {
        check(&attended(attention), &batch(&[5, 1, 0, 8], 13), 30);
    }
}

#[test]
fn attention_over_more_than_a_block_of_queries() {
    for attention in [
        attention(1, 1, 2, Reach::All),
        with_rotary(attention(2, 1, 2, Reach::Window(5))),
        attention(1, 1, 3, Reach::Causal),
    ] {
        check(&attended(attention), &batch(&[120, 3], 13), 4);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_layer_of_any_shape(
        heads in 1usize..4,
        shared in 1usize..3,
        half in 1usize..4,
        inner in 1usize..20,
        lengths in proptest::collection::vec(0usize..12, 1..4),
        reach in prop_oneof![
            Just(Reach::All), Just(Reach::Causal), (0usize..4).prop_map(Reach::Window),
        ],
        activation in proptest::sample::select(ACTIVATIONS.to_vec()),
    ) {
        // Next to a kink, differences are no slopes.
        prop_assume!(activation != Activation::Relu);
        let (heads, width) = (heads * shared, 2 * half);
        let attention = with_rotary(attention(heads, heads / shared, width, reach));
        let kv = attention.kv_heads * width;
        let ops = vec![
            Op::Norm { kind: NormKind::Layer, has_bias: true },
            linear(&[heads * width, kv, kv], Activation::None),
            Op::Attend(attention),
            Op::Residual { inner, activation },
            Op::Norm { kind: NormKind::RootMeanSquare, has_bias: false },
        ];
        check(&chain(5, 13, ops), &batch(&lengths, 13), 4);
    }
}
