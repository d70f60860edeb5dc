//! Whole encodes, from text to vector: operations a second against the peak.

use std::time::Instant;

use anyhow::Result;
use ecphory_core::Silent;
use ecphory_model::{Encoder, EncoderOptions, Precision, Role};

use super::super::models::Model;
use super::super::sets::{self, PASSAGE_TOKENS, QUERY_TOKENS};
use super::{Bench, print};
use crate::compare::{median, on};

/// Measures passages and queries in both precisions.
pub fn run(bench: &Bench, model: &Model) -> Result<()> {
    let passages = sets::documents(model, PASSAGE_TOKENS, model.plan.passages.div_ceil(2))?;
    let queries = sets::queries(model, QUERY_TOKENS, model.plan.queries.div_ceil(2))?;
    for precision in [Precision::Stored, Precision::Int8] {
        let is_int8 = precision == Precision::Int8;
        let (peak, unit) = match (&bench.bytes, is_int8) {
            (Some(bytes), true) => (bytes, "GOP/s"),
            (None, true) => continue,
            (_, false) => (&bench.floats, "GFLOP/s"),
        };
        let options = EncoderOptions { precision, ..EncoderOptions::default() };
        let encoder = Encoder::open(&model.directory, &options)?;
        let title =
            if is_int8 { format!("{} int8", model.plan.name) } else { model.plan.name.to_owned() };
        eprintln!("{title}: whole encodes, {}", on(bench.threads));
        let (mut batches, mut singles) = (Vec::new(), Vec::new());
        seconds_of_passages(bench, &encoder, &passages)?;
        for _ in 0..bench.runs {
            let most = peak.measure(&bench.pool, bench.least) / 1e9;
            let seconds = seconds_of_passages(bench, &encoder, &passages)?;
            batches.push((model.shape.operations(PASSAGE_TOKENS) / seconds / 1e9, most));
            let seconds = seconds_of_query(bench, &encoder, &queries)?;
            singles.push((model.shape.operations(QUERY_TOKENS) / seconds / 1e9, most));
        }
        for (what, tokens, rounds) in [
            ("passages of 128 tokens", PASSAGE_TOKENS, batches),
            ("single queries of 12 tokens", QUERY_TOKENS, singles),
        ] {
            let metric = format!("{title}: whole encodes of {what}: {unit}, {}", on(bench.threads));
            let each = model.shape.operations(tokens) / 1e9;
            let quality = format!("{each:.3} G operations each, of linear maps and attention");
            print(peak, metric, &quality, rounds);
        }
    }
    Ok(())
}

/// Seconds of one of the passages, encoded together.
pub fn seconds_of_passages(bench: &Bench, encoder: &Encoder, texts: &[String]) -> Result<f64> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let start = Instant::now();
    encoder.encode(&texts, Role::Document, &bench.pool, &Silent)?;
    Ok(start.elapsed().as_secs_f64() / texts.len() as f64)
}

/// The median seconds of a query alone.
fn seconds_of_query(bench: &Bench, encoder: &Encoder, texts: &[String]) -> Result<f64> {
    let mut times = Vec::new();
    for text in texts {
        let start = Instant::now();
        encoder.encode(&[text], Role::Query, &bench.pool, &Silent)?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(median(&times))
}
