//! Search while writing: the latency of queries beside a sustained load, against a collection at rest.
//!
//! One thread asks, one query after the other, each on the newest snapshot, its analysis and its filter
//! included, as a server would. Other threads write, with a sync for every batch, and one seals and merges.
//! Each round has a phase of quiet and a phase of each load. While there is load a second collection is
//! asked in turn, to which nobody writes: how much slower that one is says what the machine's other work
//! costs, and only the rest is what the changing collection itself costs.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use ecphory_index::{Collection, Filter, Writer};

use super::live::{self, Live};
use super::load::{self, Hand, Load};
use super::{Setting, comparison};
use crate::compare::{Better, median};
use crate::corpus;

const QUERIES: usize = 1000;
const SEED: u64 = 7;
const WRITERS: usize = 2;
const LOADS: [Load; 2] = [Load { rate: Some(1000), batch: 10 }, Load { rate: None, batch: 100 }];
/// A tenth of the documents, spread evenly.
const FILTER: &str = "number < 10";
const KINDS: [&str; 2] = ["top 10", "top 10 of a filter's tenth"];
const AT_REST: &str = "the same, at rest";
const BESIDE: &str = "the same, unchanged beside this load";

/// Two collections of the same documents, of which one is written to.
struct Bench<'a> {
    still: &'a Collection,
    changing: &'a Collection,
    writer: &'a Writer,
    hands: Vec<Hand>,
    queries: Vec<String>,
    filter: Filter,
    texts: &'a [String],
    phase: Duration,
}

/// Milliseconds of each query in one phase: by kind, of the changing collection and of the one that is still.
#[derive(Default)]
struct Latencies {
    changing: [Vec<f64>; 2],
    still: [Vec<f64>; 2],
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p99 in ms, plain and filtered:")?;
        for (name, [plain, filtered]) in [("changing", &self.changing), ("still", &self.still)] {
            let (plain, filtered) = (percentile(plain, 0.99), percentile(filtered, 0.99));
            write!(f, " {name} {plain:.2} {filtered:.2}")?;
        }
        Ok(())
    }
}

/// The phases of a round.
struct Round {
    quiet: Latencies,
    loaded: [Latencies; 2],
}

/// What there was to see in the phases of a load.
#[derive(Default)]
struct Seen {
    rates: Vec<f64>,
    segments: usize,
    dead: u64,
}

/// Measures and prints.
pub fn run(setting: &Setting) -> Result<()> {
    let documents: Vec<_> =
        setting.texts.iter().enumerate().map(|(id, text)| live::document(id, text)).collect();
    let still = live::build(&setting.scratch.path("still"), &documents)?;
    let changing = live::build(&setting.scratch.path("changing"), &documents)?;
    drop(documents);
    let writer = changing.writer()?;
    // Readers of a process with a writer need not look at the files: both have one.
    let idle = still.writer()?;
    let mut bench = Bench {
        still: &still,
        changing: &changing,
        writer: &writer,
        hands: Hand::deal(setting.texts.len(), WRITERS),
        queries: corpus::phrases(&setting.texts, QUERIES, SEED)?,
        filter: FILTER.parse()?,
        texts: &setting.texts,
        phase: Duration::from_secs(if setting.quick { 3 } else { 20 }),
    };
    bench.rounds(setting.runs)?;
    idle.close()?;
    writer.close()?;
    Ok(())
}

impl Bench<'_> {
    fn rounds(&mut self, runs: usize) -> Result<()> {
        let mut rounds = Vec::new();
        let mut seen = [Seen::default(), Seen::default()];
        // Nobody is measured cold.
        self.ask(Duration::from_secs(1), true)?;
        for round in 0..runs {
            let quiet = self.ask(self.phase, false)?;
            let mut loaded = [Latencies::default(), Latencies::default()];
            for ((load, seen), latencies) in LOADS.iter().zip(&mut seen).zip(&mut loaded) {
                *latencies = self.beside(*load, seen)?;
            }
            eprintln!("round {}: at rest {quiet}", round + 1);
            for latencies in &loaded {
                eprintln!("  loaded: {latencies}");
            }
            rounds.push(Round { quiet, loaded });
        }
        print(&rounds, &seen, self.texts.len());
        Ok(())
    }

    /// Asks while there is load, and returns when what that leaves to seal and to merge is done.
    fn beside(&mut self, load: Load, seen: &mut Seen) -> Result<Latencies> {
        let mut hands = std::mem::take(&mut self.hands);
        let bench = &*self;
        let latencies = Live::run(self.writer, |live| {
            let (done, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
            let start = Instant::now();
            std::thread::scope(|scope| {
                let counts = (&done, &acknowledged);
                let hands = &mut hands;
                let writing =
                    scope.spawn(move || load::write(&live, hands, load, bench.texts, counts));
                let latencies = bench.ask(bench.phase, true);
                let changes = acknowledged.load(Ordering::Relaxed) as f64;
                seen.rates.push(changes / start.elapsed().as_secs_f64());
                let snapshot = bench.writer.snapshot();
                seen.segments = seen.segments.max(snapshot.segments());
                seen.dead = seen.dead.max(snapshot.dead());
                done.store(true, Ordering::Relaxed);
                writing.join().expect("the load does not panic")?;
                latencies
            })
        });
        self.hands = hands;
        latencies
    }

    /// Asks one query after the other for a while; the changing collection only where it is wanted.
    fn ask(&self, time: Duration, changing: bool) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        let count = self.queries.len();
        let start = Instant::now();
        for turn in 0.. {
            // Nobody gets a query that somebody was asked just now: its terms would be in the cache.
            let query = |quarter: usize| &*self.queries[(turn + quarter * count / 4) % count];
            for (kind, filter) in [None, Some(&self.filter)].into_iter().enumerate() {
                latencies.still[kind].push(timed(self.still, query(kind), filter)?);
                if changing {
                    latencies.changing[kind].push(timed(self.changing, query(2 + kind), filter)?);
                }
            }
            if start.elapsed() >= time {
                break;
            }
        }
        Ok(latencies)
    }
}

/// Asks one query and returns its milliseconds.
fn timed(collection: &Collection, query: &str, filter: Option<&Filter>) -> Result<f64> {
    let start = Instant::now();
    let snapshot = collection.snapshot()?;
    let selection = filter.map(|filter| snapshot.select(filter)).transpose()?;
    let channel = snapshot.bm25(live::CHANNEL)?;
    let hits = channel.search(&channel.analyze(query), 10, selection.as_ref())?;
    std::hint::black_box(hits);
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// The smallest value that so much of the values is not above.
fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

fn print(rounds: &[Round], seen: &[Seen; 2], documents: usize) {
    for (number, (load, seen)) in LOADS.iter().zip(seen).enumerate() {
        let what = match load.rate {
            Some(rate) => format!("{rate} changes a second"),
            None => "changes without limit".to_owned(),
        };
        let quality = format!(
            "{documents} documents; 1 thread asks, {WRITERS} write batches of {}, synced, {:.0} changes a second, 1 merges; up to {} segments, {} dead",
            load.batch,
            median(&seen.rates),
            seen.segments,
            seen.dead
        );
        for (kind, name) in KINDS.iter().enumerate() {
            for (share, percent) in [(0.5, "p50"), (0.99, "p99")] {
                let metric = format!("search during {what}: {percent} in ms, {name}");
                let row = |peer| comparison(peer, metric.clone(), quality.clone(), Better::Lower);
                let (mut at_rest, mut beside) = (row(AT_REST), row(BESIDE));
                for Round { quiet, loaded } in rounds {
                    let of = |latencies: &[Vec<f64>; 2]| percentile(&latencies[kind], share);
                    let ours = of(&loaded[number].changing);
                    at_rest.rounds.push((ours, of(&quiet.still)));
                    beside.rounds.push((ours, of(&loaded[number].still)));
                }
                at_rest.print();
                beside.print();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5), 100.0);
        assert_eq!(percentile(&values, 0.99), 198.0);
        assert_eq!(percentile(&[3.0], 0.99), 3.0);
        assert!(percentile(&[], 0.5).is_nan());
    }
}
