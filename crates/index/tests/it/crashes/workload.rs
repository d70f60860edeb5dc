//! What is done to a collection while the power may be cut: a fixed list of steps, and random ones.

use ecphory_core::Document;
use ecphory_index::FieldKind;

use super::model::{Entry, IDS, Put, State, id};

/// One thing that a user of a writer does.
#[derive(Clone, Debug)]
pub enum Step {
    Put(Put),
    /// Deletes the documents before a year.
    DeleteBefore(i64),
    Sync,
    Seal,
    Maintain,
    Compact,
    Purge,
    /// Stages new documents in bulk and commits them.
    Bulk(Vec<Entry>),
    /// Gives rows to all documents that have none, and commits them.
    FillRows,
    /// Declares a field that documents have already.
    AddField(&'static str, FieldKind),
    /// The writer goes and another comes, after [`Writer::close`](ecphory_index::Writer::close) or not.
    Reopen {
        closed: bool,
    },
}

/// `SplitMix64`.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }
}

const VOCABULARY: [&str; 6] = ["radium", "fission", "uranium", "neutron", "polonium", "alpha"];

/// A document with random fields. No two are equal: each has its own number.
pub fn entry(random: &mut Random, id: String, rows: bool) -> Entry {
    let words: Vec<&str> = (0..=random.below(7)).map(|_| *random.pick(&VOCABULARY)).collect();
    let document = Document::new(id)
        .with("text", words.join(" "))
        .with("year", 1900 + random.below(50) as i64)
        .with("tag", *random.pick(&["a", "b", "c"]))
        .with("number", (random.next() >> 1) as i64);
    let count = if random.chance(10) { 0 } else { 1 + random.below(2) };
    Entry { document, rows: rows.then(|| (0..count).map(|_| row(random)).collect()) }
}

pub fn row(random: &mut Random) -> [f32; 3] {
    // Coarse values, so that scores are equal now and then, and the order decides.
    std::array::from_fn(|_| (random.below(9) as f32 - 4.0) / 4.0)
}

fn put(random: &mut Random, deletes: &[usize], puts: &[usize], rows: bool) -> Step {
    let entries = puts.iter().map(|&number| entry(random, id(number), rows)).collect();
    Step::Put(Put { deletes: deletes.iter().map(|&number| id(number)).collect(), entries })
}

/// A short life in which everything happens once.
pub fn fixed() -> Vec<Step> {
    let random = &mut Random(1);
    vec![
        put(random, &[], &[0, 1, 2, 3, 4], true),
        put(random, &[0], &[1, 5], false),
        Step::Seal,
        put(random, &[2, 20], &[6, 3], true),
        Step::DeleteBefore(1915),
        Step::Seal,
        Step::Maintain,
        put(random, &[], &[7, 0], false),
        Step::AddField("year", FieldKind::Integer),
        Step::Compact,
        // The merge leaves out documents whose death only the log knows, which is not synced at every level.
        put(random, &[1, 4, 5], &[8, 6], true),
        Step::Maintain,
        Step::FillRows,
        Step::Reopen { closed: true },
        put(random, &[7], &[9], true),
        Step::Bulk(vec![entry(random, id(10), false), entry(random, id(11), false)]),
        put(random, &[10], &[], true),
        Step::AddField("tag", FieldKind::Keyword),
        Step::Reopen { closed: false },
        put(random, &[], &[12, 0], true),
        Step::Purge,
        put(random, &[12], &[13], false),
    ]
}

/// A few steps after a crash, that build on what was found.
pub fn sequel(random: &mut Random, found: &State) -> Vec<Step> {
    let mut state = found.clone();
    let mut steps = Vec::new();
    for _ in 0..=random.below(3) {
        let step = random_put(random, &state);
        if let Step::Put(put) = &step {
            state.put(put);
        }
        steps.push(step);
    }
    if random.chance(50) {
        steps.push(Step::Seal);
        steps.push(put(random, &[3], &[4], true));
    }
    steps
}

/// A step for a collection in some state.
pub fn random_step(random: &mut Random, state: &State) -> Step {
    match random.below(100) {
        0..62 => random_put(random, state),
        62..67 => Step::DeleteBefore(1900 + random.below(20) as i64),
        67..69 => Step::Sync,
        69..77 => Step::Seal,
        77..85 => Step::Maintain,
        85..88 => Step::Compact,
        88..90 => Step::Purge,
        90..92 => Step::FillRows,
        92..94 => bulk(random, state),
        94 => Step::AddField("year", FieldKind::Integer),
        95 => Step::AddField("tag", FieldKind::Keyword),
        other => Step::Reopen { closed: other < 98 },
    }
}

fn random_put(random: &mut Random, state: &State) -> Step {
    let rows = random.chance(60);
    let mut batch = Put::default();
    if random.chance(40) {
        batch.deletes = distinct(random, 3).into_iter().map(id).collect();
    }
    if random.chance(85) || batch.deletes.is_empty() {
        let ids = distinct(random, 5).into_iter().map(id);
        batch.entries = ids.map(|id| entry(random, id, rows)).collect();
    }
    if random.chance(5) {
        // Batches that change nothing.
        batch.entries.clear();
        batch.deletes.retain(|id| !state.has(id));
    }
    Step::Put(batch)
}

fn bulk(random: &mut Random, state: &State) -> Step {
    let new = (0..IDS).map(id).filter(|id| !state.has(id)).take(3);
    Step::Bulk(new.map(|id| entry(random, id, false)).collect())
}

/// Between one and `most` different numbers of ids.
fn distinct(random: &mut Random, most: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = Vec::new();
    for _ in 0..=random.below(most) {
        let number = random.below(IDS);
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers
}
