//! The linear maps of a layer at the sizes of the models, in every type of weights.
//!
//! Twelve rows are a query, whose columns threads share; more rows are a batch, of which each thread has its own, as
//! in an encode. In 8 bits, rounding the rows is in the time.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};

use ecphory_kernels::nn::{Activation, Int8Rows, PANEL, Rows, RowsMut};
use rayon::prelude::*;

use super::super::models::Model;
use super::kinds::{Input, Kind, Map, wave};
use super::{Bench, print};
use crate::compare::{median, on};

const ROWS: [usize; 3] = [12, 128, 512];

/// Measures the maps of each size that a model has.
pub fn run(bench: &Bench, models: &[Model]) {
    let mut seen: Vec<(usize, usize)> = Vec::new();
    for model in models {
        let size = (model.shape.hidden, model.shape.inner);
        if seen.contains(&size) {
            continue;
        }
        seen.push(size);
        let users: Vec<&str> = models
            .iter()
            .filter(|other| (other.shape.hidden, other.shape.inner) == size)
            .map(|other| other.plan.name)
            .collect();
        eprintln!("products of {}, {}", users.join(" and "), on(bench.threads));
        for kind in Kind::ALL {
            one_size(bench, model, &users.join(", "), kind);
        }
    }
}

fn one_size(bench: &Bench, model: &Model, users: &str, kind: Kind) {
    let peak = if kind == Kind::Int8 { bench.bytes.as_ref() } else { Some(&bench.floats) };
    let Some(peak) = peak else { return };
    let maps: Vec<Map> =
        model.shape.maps().iter().map(|&(_, depth, width)| Map::new(kind, depth, width)).collect();
    for rows in ROWS {
        let mut rounds = Vec::new();
        let mut each = vec![Vec::new(); maps.len()];
        for _ in 0..bench.runs {
            let most = peak.measure(&bench.pool, bench.least);
            let (mut operations, mut seconds) = (0.0, 0.0);
            for (map, rates) in maps.iter().zip(&mut each) {
                // With a batch, every thread multiplies its own rows.
                let copies = if rows == ROWS[0] { 1 } else { bench.threads };
                let one = 2.0 * (copies * rows * map.depth * map.width) as f64;
                let taken = seconds_of(bench, map, rows);
                rates.push(one / taken / 1e9);
                operations += one;
                seconds += taken;
            }
            rounds.push((operations / seconds / 1e9, most / 1e9));
        }
        let name = |(map, rates): (&Map, &Vec<f64>)| {
            format!("{}x{} {:.1}", map.depth, map.width, median(rates))
        };
        let quality: Vec<String> = maps.iter().zip(&each).map(name).collect();
        let metric = format!(
            "products of a layer ({users}), {}, {rows} rows: {}, {}",
            kind.name(),
            kind.unit(),
            on(bench.threads)
        );
        print(peak, metric, &quality.join(", "), rounds);
    }
}

fn seconds_of(bench: &Bench, map: &Map, rows: usize) -> f64 {
    if rows == ROWS[0] && bench.threads > 1 {
        return bench.time(shared(bench, map, rows));
    }
    let values = wave(rows * map.depth, 0);
    // Of each thread its own, made before the clock starts.
    let results: Vec<Mutex<(Vec<f32>, Int8Rows)>> = (0..bench.threads)
        .map(|_| Mutex::new((vec![0.0; rows * map.width], Int8Rows::new(bench.level))))
        .collect();
    bench.time(|count| {
        bench.pool.broadcast(|context| {
            let mut result =
                results[context.index()].lock().unwrap_or_else(PoisonError::into_inner);
            let (out, rounded) = &mut *result;
            for _ in 0..count {
                let rows = Rows::dense(black_box(&values), map.depth);
                map.round(rows, rounded);
                let input = Input { rows, rounded, activation: Activation::None };
                map.run(bench.level, &input, 0..map.width, RowsMut::dense(out, map.width));
                black_box(&mut *out);
            }
        });
    })
}

/// One product in strips of columns, a strip for each thread.
fn shared(bench: &Bench, map: &Map, rows: usize) -> impl FnMut(u64) {
    let values = wave(rows * map.depth, 0);
    let mut out = vec![0.0; rows * map.width];
    let mut rounded = Int8Rows::new(bench.level);
    let step = map.width.div_ceil(PANEL).div_ceil(bench.threads) * PANEL;
    move |count| {
        bench.pool.install(|| {
            for _ in 0..count {
                let rows = Rows::dense(black_box(&values), map.depth);
                map.round(rows, &mut rounded);
                let input = Input { rows, rounded: &rounded, activation: Activation::None };
                let mut rest = Some(RowsMut::dense(&mut out, map.width));
                let mut parts = Vec::new();
                for start in (0..map.width).step_by(step) {
                    let end = map.width.min(start + step);
                    let whole = rest.take().expect("the last part ends the loop");
                    if end == map.width {
                        parts.push((start..end, whole));
                    } else {
                        let (part, right) = whole.split_at_column(end - start);
                        parts.push((start..end, part));
                        rest = Some(right);
                    }
                }
                parts.into_par_iter().with_max_len(1).for_each(|(columns, out)| {
                    map.run(bench.level, &input, columns, out);
                });
                black_box(&mut out);
            }
        });
    }
}
