//! Search while writing: the latency of queries beside a sustained load, against a collection at rest.
//!
//! One thread asks a query every two milliseconds, each on the newest snapshot, its analysis and its filter
//! included, as a server would; where it is late, the time that a query waited counts. Other threads write, with a sync for every batch, and one seals and merges.
//! Each round has a phase of quiet and two phases of each load. In one of them a second collection is asked,
//! to which nobody writes: how much slower that one is says what the machine's other work costs, and only the
//! rest is what the changing collection itself costs.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use ecphory_index::{Collection, Filter, Snapshot, Writer};

use super::live::{self, Live};
use super::load::{self, Hand, Load};
use super::{Setting, comparison};
use crate::compare::{Better, median};
use crate::corpus;

const QUERIES: usize = 1000;
const SEED: u64 = 7;
const INTERVAL: Duration = Duration::from_millis(2);
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

/// Milliseconds of each query in one phase, by kind.
type Latencies = [Vec<f64>; 2];

/// The phases of a round.
struct Round {
    rest: Latencies,
    /// By load: of the changing collection and of the one that is still.
    loaded: [[Latencies; 2]; 2],
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
        phase: Duration::from_secs(if setting.quick { 2 } else { 15 }),
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
        self.ask(self.changing, Duration::from_secs(1))?;
        self.ask(self.still, Duration::from_secs(1))?;
        for _ in 0..runs {
            let rest = self.ask(self.still, self.phase)?;
            let mut loaded = <[[Latencies; 2]; 2]>::default();
            for ((load, seen), latencies) in LOADS.iter().zip(&mut seen).zip(&mut loaded) {
                *latencies = self.beside(*load, seen)?;
            }
            let round = Round { rest, loaded };
            eprintln!("{round}");
            rounds.push(round);
        }
        print(&rounds, &seen, self.texts.len());
        Ok(())
    }

    /// Asks both collections while there is load, and returns when what that leaves to seal and to merge is
    /// done.
    fn beside(&mut self, load: Load, seen: &mut Seen) -> Result<[Latencies; 2]> {
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
                let latencies = bench.ask(bench.changing, bench.phase).and_then(|changing| {
                    seen.note(&bench.writer.snapshot());
                    Ok([changing, bench.ask(bench.still, bench.phase)?])
                });
                let changes = acknowledged.load(Ordering::Relaxed) as f64;
                seen.rates.push(changes / start.elapsed().as_secs_f64());
                seen.note(&bench.writer.snapshot());
                done.store(true, Ordering::Relaxed);
                writing.join().expect("the load does not panic")?;
                latencies
            })
        });
        self.hands = hands;
        latencies
    }

    /// Asks a collection for a while.
    fn ask(&self, collection: &Collection, time: Duration) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        let (count, start) = (self.queries.len(), Instant::now());
        let mut due = start;
        for turn in 0.. {
            for (kind, filter) in [None, Some(&self.filter)].into_iter().enumerate() {
                // Not the query that was asked just now: its terms would be in the cache.
                let query = &self.queries[(turn + kind * count / 2) % count];
                latencies[kind].push(timed(&mut due, collection, query, filter)?);
            }
            if start.elapsed() >= time {
                break;
            }
        }
        Ok(latencies)
    }
}

impl Seen {
    fn note(&mut self, snapshot: &Snapshot) {
        self.segments = self.segments.max(snapshot.segments());
        self.dead = self.dead.max(snapshot.dead());
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, [plain, filtered]: &Latencies| {
            let (plain, filtered) = (percentile(plain, 0.99), percentile(filtered, 0.99));
            write!(f, "{name} {plain:.2} {filtered:.2}")
        };
        line("p99 in ms, plain and filtered: at rest", &self.rest)?;
        for [changing, still] in &self.loaded {
            line("; loaded", changing)?;
            line(", beside", still)?;
        }
        Ok(())
    }
}

/// Asks one query when it is due, and returns its milliseconds.
fn timed(
    due: &mut Instant,
    collection: &Collection,
    query: &str,
    filter: Option<&Filter>,
) -> Result<f64> {
    *due += INTERVAL;
    let early = due.saturating_duration_since(Instant::now());
    std::thread::sleep(early);
    // That a sleep ends a little late is no latency of the query.
    let start = if early.is_zero() { *due } else { Instant::now() };
    let snapshot = collection.snapshot()?;
    let selection = filter.map(|filter| snapshot.select(filter)).transpose()?;
    let channel = snapshot.bm25(live::CHANNEL)?;
    let hits = channel.search(&channel.analyze(query), 10, selection.as_ref())?.hits;
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
            "{documents} documents; 1 thread asks {} queries a second, {WRITERS} write batches of {}, synced, {:.0} changes a second, 1 merges; up to {} segments, {} dead",
            1000 / INTERVAL.as_millis(),
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
                for Round { rest, loaded } in rounds {
                    let of = |latencies: &Latencies| percentile(&latencies[kind], share);
                    let [changing, still] = &loaded[number];
                    at_rest.rounds.push((of(changing), of(rest)));
                    beside.rounds.push((of(changing), of(still)));
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
