//! Where the time of a passage goes on one thread: the kernels of a layer, each alone at its shapes, times the
//! layers, against a whole encode. What is left is memory between the kernels, embeddings and pooling.

use std::hint::black_box;

use anyhow::Result;
use ecphory_kernels::nn::{
    Activation, Epilogue, Int8Rows, Packed, Rows, RowsMut, layer_norm, multiply, softmax_weights,
};
use ecphory_model::{Encoder, EncoderOptions, Precision};
use ecphory_text::subword::Tokenizer;

use super::super::models::{Model, Shape};
use super::super::sets::{self, PASSAGE_TOKENS};
use super::Bench;
use super::kinds::{Input, Kind, Map, wave};
use super::whole::seconds_of_passages;
use crate::compare::{Better, Comparison};

/// Passages of a batch, as the encoder makes them.
const BATCH: usize = 4;
/// Queries whose scores are held at a time, as in the encoder.
const QUERIES: usize = 96;

/// Measures every kind of operation and whole encodes, in both precisions.
pub fn run(bench: &Bench, model: &Model) -> Result<()> {
    let passages = sets::documents(model, PASSAGE_TOKENS, model.plan.passages.div_ceil(4))?;
    for kind in [Kind::F32, Kind::Int8] {
        let (title, precision) = match kind {
            Kind::Int8 => (format!("{} int8", model.plan.name), Precision::Int8),
            _ => (model.plan.name.to_owned(), Precision::Stored),
        };
        eprintln!("{title}: where the time goes");
        let options = EncoderOptions { precision, ..EncoderOptions::default() };
        let encoder = Encoder::open(&model.directory, &options)?;
        seconds_of_passages(bench, &encoder, &passages)?;
        let mut shares: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
        for _ in 0..bench.runs {
            let parts = parts(bench, model, kind, &passages)?;
            let whole = seconds_of_passages(bench, &encoder, &passages)? * 1e3;
            let known: f64 = parts.iter().map(|part| part.1).sum();
            let rest =
                ("the rest (embeddings, pooling, memory between the kernels)", whole - known);
            for (index, (name, ms)) in parts.into_iter().chain([rest]).enumerate() {
                if shares.len() == index {
                    shares.push((name, Vec::new()));
                }
                shares[index].1.push((ms, whole));
            }
        }
        for (name, rounds) in shares {
            let comparison = Comparison {
                workload: "encode",
                peer: "the whole encode".to_owned(),
                metric: format!("{title}: ms of a passage of 128 tokens in {name}, 1 thread"),
                quality: "the ratio is the share of the time".to_owned(),
                better: Better::Higher,
                rounds,
            };
            comparison.print();
        }
    }
    Ok(())
}

/// Milliseconds a passage in each kind of operation.
fn parts(
    bench: &Bench,
    model: &Model,
    kind: Kind,
    passages: &[String],
) -> Result<Vec<(&'static str, f64)>> {
    let Shape { layers, hidden, .. } = model.shape;
    let tokenizer = Tokenizer::open(&model.directory.join("tokenizer.json"))?;
    let mut failure = None;
    let text = bench.time(|count| {
        for index in 0..count as usize {
            let text = &passages[index % passages.len()];
            match tokenizer.encode(text, model.max_tokens) {
                Ok(tokens) => drop(black_box(tokens)),
                Err(error) => failure = Some(error),
            }
        }
    });
    if let Some(error) = failure {
        return Err(error.into());
    }
    let products = products(bench, model.shape, kind);
    let [packing, scores, softmax, sums] = attention(bench, model.shape);
    let (weight, bias) = (wave(hidden, 0), wave(hidden, 1));
    let mut states = wave(BATCH * PASSAGE_TOKENS * hidden, 2);
    let norm = bench.time(|count| {
        (0..count).for_each(|_| layer_norm(bench.level, &mut states, &weight, &bias, 1e-12));
    });
    // Milliseconds of a passage, from the seconds of a batch in one layer.
    let ms = |seconds: f64| seconds * layers as f64 * 1e3 / BATCH as f64;
    let mut parts = vec![
        ("the linear maps", ms(products.maps)),
        ("the activation", ms(products.activation)),
        ("products of attention", ms(scores + sums)),
        ("softmax", ms(softmax)),
        ("packing of keys and values", ms(packing)),
        // Two a layer, and one after the embeddings.
        ("norms", ms(2.0 * norm) + norm * 1e3 / BATCH as f64),
        ("tokenisation", text * 1e3),
    ];
    if kind == Kind::Int8 {
        parts.push(("rounding of inputs", ms(products.rounding)));
    }
    Ok(parts)
}

/// Seconds of a batch in one layer.
#[derive(Default)]
struct Products {
    maps: f64,
    activation: f64,
    rounding: f64,
}

fn products(bench: &Bench, shape: Shape, kind: Kind) -> Products {
    let mut found = Products::default();
    for (name, depth, width) in shape.maps() {
        let map = Map::new(kind, depth, width);
        let values = wave(BATCH * PASSAGE_TOKENS * depth, 0);
        let mut out = vec![0.0; BATCH * PASSAGE_TOKENS * width];
        let rows = Rows::dense(&values, depth);
        let mut rounded = Int8Rows::new(bench.level);
        if kind == Kind::Int8 {
            found.rounding += bench.time(|count| {
                (0..count).for_each(|_| map.round(black_box(rows), &mut rounded));
            });
        }
        let mut seconds = |activation| {
            let input = Input { rows, rounded: &rounded, activation };
            bench.time(|count| {
                for _ in 0..count {
                    map.run(bench.level, &input, 0..width, RowsMut::dense(&mut out, width));
                    black_box(&mut out);
                }
            })
        };
        let plain = seconds(Activation::None);
        found.maps += plain;
        if name == "up" {
            found.activation = (seconds(Activation::Gelu) - plain).max(0.0);
        }
    }
    found
}

/// Seconds of a batch's attention in one layer: packing, scores, softmax, weighted sums.
fn attention(bench: &Bench, shape: Shape) -> [f64; 4] {
    let Shape { hidden, heads, .. } = shape;
    let (level, width) = (bench.level, hidden / heads);
    let joint = wave(PASSAGE_TOKENS * 3 * hidden, 0);
    let part = |index: usize| Rows::new(&joint[index * width..], PASSAGE_TOKENS, width, 3 * hidden);
    let (mut keys, mut values) = (Packed::<f32>::default(), Packed::<f32>::default());
    let each = |count: u64| (0..count * (BATCH * heads) as u64).map(|i| i as usize % heads);
    let packing = bench.time(|count| {
        for head in each(count) {
            keys.set_transposed(part(heads + head));
            values.set(part(2 * heads + head));
        }
    });
    let mut scores = vec![0.0; PASSAGE_TOKENS * PASSAGE_TOKENS];
    let blocks = || (0..PASSAGE_TOKENS).step_by(QUERIES);
    let product = bench.time(|count| {
        for head in each(count) {
            for first in blocks() {
                let queries = first..PASSAGE_TOKENS.min(first + QUERIES);
                let out = &mut scores[..queries.len() * PASSAGE_TOKENS];
                let out = RowsMut::dense(out, PASSAGE_TOKENS);
                let rows = part(head).rows(queries);
                multiply(level, rows, keys.panels(), Epilogue::default(), out);
            }
            black_box(&mut scores);
        }
    });
    let scale = 1.0 / (width as f32).sqrt();
    let softmax = bench.time(|count| {
        for _ in each(count) {
            for row in scores.chunks_exact_mut(PASSAGE_TOKENS) {
                black_box(softmax_weights(level, row, scale, &[]));
            }
        }
    });
    let mut states = vec![0.0; PASSAGE_TOKENS * hidden];
    let sums = bench.time(|count| {
        for head in each(count) {
            let columns = &mut states[head * width..];
            let mut out = RowsMut::new(columns, PASSAGE_TOKENS, width, hidden);
            for first in blocks() {
                let queries = first..PASSAGE_TOKENS.min(first + QUERIES);
                let weights = Rows::dense(&scores, PASSAGE_TOKENS).rows(queries.clone());
                let out = out.rows_mut(queries);
                multiply(level, weights, values.panels(), Epilogue::default(), out);
            }
        }
    });
    [packing, product, softmax, sums]
}
