use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use ecphory_core::{ErrorKind, Progress, Silent};
use ecphory_model::{
    CacheOptions, CrossEncoder, Encoder, EncoderOptions, EncodingCache, LateEncoder, Role,
    SparseEncoder, SparseVector,
};

use super::*;
use crate::data::{Judgment, Text};
use crate::source::ScoreMatrix;

pub(super) fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/golden/tiny/bert-mean")
}

const THINGS: [&str; 6] = ["cat", "dog", "rat", "bat", "hat", "mat"];

/// Documents of two things, and for each a query of the same two, which is near to the document of the opposite order, too.
pub(super) fn data() -> TrainingData {
    let numbers: Vec<(usize, usize)> =
        (0..6).flat_map(|a| (0..6).map(move |b| (a, b))).filter(|(a, b)| a != b).collect();
    let texts = |name: &str, between: &str| -> Vec<Text> {
        let text = |(i, &(a, b)): (usize, &(usize, usize))| Text {
            id: format!("{name}{i}"),
            text: format!("the {} {between} {}", THINGS[a], THINGS[b]),
        };
        numbers.iter().enumerate().map(text).collect()
    };
    let ids: Vec<(String, String)> =
        (0..numbers.len()).map(|i| (format!("q{i}"), format!("d{i}"))).collect();
    let judged = ids.iter().map(|(query, document)| Judgment { query, document, relevant: true });
    TrainingData::new(texts("d", "and a"), texts("q", "is on the"), judged).unwrap()
}

/// A recipe that is short enough here, and fast enough to learn something.
fn short(name: &str) -> Recipe {
    changed(name, &[])
}

fn changed(name: &str, more: &[&str]) -> Recipe {
    let changes = [
        "batches.queries=6",
        "negatives.depth=8",
        "negatives.keep=4",
        "negatives.ratio=1",
        "optimiser.learning_rate=0.003",
        "schedule.epochs=4",
        "schedule.dev=0.2",
    ];
    let all = changes.iter().chain(more).copied();
    Recipe::named(name).unwrap().with(all).unwrap()
}

fn recipe() -> Recipe {
    short("dense")
}

fn cross() -> Recipe {
    let own = ["negatives.from=dense", "negatives.ratio=1", "teachers=[]", "loss=infonce"];
    changed("cross", &[&own[..], &["batches.negatives=3"]].concat())
}

struct Place {
    folder: tempfile::TempDir,
    cache: EncodingCache,
    data: TrainingData,
    recipe: Recipe,
    init: PathBuf,
    pool: rayon::ThreadPool,
    bm25: ScoreMatrix,
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

impl Place {
    fn new(recipe: Recipe) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let count = data().documents().len();
        let scores = (0..count * count).map(|i| ((i * i) % 7) as f32).collect();
        let bm25 = ScoreMatrix::new(count, scores).unwrap();
        let cache =
            EncodingCache::open(&folder.path().join("cache"), CacheOptions::default()).unwrap();
        Self { folder, cache, data: data(), recipe, init: tiny(), pool: pool(2), bm25 }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn train(&self, out: &Path, resume: bool, progress: &dyn Progress) -> Result<Trained> {
        let (data, recipe, init) = (&self.data, &self.recipe, &*self.init);
        let pool = &self.pool;
        let sources = Sources::default().with("bm25", self.bm25.source());
        let (sources, cache) = (&sources, Some(&self.cache));
        train(&Job { data, recipe, init, out, seed: 7, sources, cache, pool, resume }, progress)
    }
}

/// Cancels after so many units.
pub(super) struct After(AtomicI64);

impl After {
    pub(super) fn units(units: i64) -> Self {
        Self(AtomicI64::new(units))
    }
}

impl Progress for After {
    fn begin(&self, _task: &str, _total: u64) {}
    fn end(&self) {}
    fn advance(&self, units: u64) {
        self.0.fetch_sub(units as i64, Ordering::SeqCst);
    }
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst) <= 0
    }
}

#[test]
fn training_learns_what_it_is_shown_and_keeps_the_best() {
    let place = Place::new(recipe());
    let out = place.out("model");
    let trained = place.train(&out, false, &Silent).unwrap();
    let losses: Vec<f64> = trained.evaluations.iter().filter_map(|one| one.loss).collect();
    assert!(losses.last() < losses.first(), "{losses:?}");
    let best = trained.evaluations.iter().max_by(|a, b| {
        let ndcg = |one: &Evaluation| one.dev.unwrap();
        // Of equal ones the first is kept.
        ndcg(a).total_cmp(&ndcg(b)).then(b.step.cmp(&a.step))
    });
    assert_eq!(best.unwrap().step, trained.kept);
    assert_eq!((trained.held_out, trained.pairs), (6, 24));
    let encoder = Encoder::open(&out, &EncoderOptions::default()).unwrap();
    assert_eq!(
        encoder.encode(&["a cat"], Role::Query, &pool(1), &Silent).unwrap().len(),
        encoder.dimensions()
    );
    assert_eq!(Trained::of(&out).unwrap(), Some(trained));
    assert_eq!(Trained::of(&tiny()).unwrap(), None);
    fs_err::write(out.join("training.json"), "{}").unwrap();
    assert_eq!(Trained::of(&out).unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(!work_folder(&out).exists());
}

#[test]
fn a_cross_encoder_learns_is_saved_and_goes_on() {
    let mut place = Place::new(cross());
    let out = place.out("cross");
    let trained = place.train(&out, false, &Silent).unwrap();
    let losses: Vec<f64> = trained.evaluations.iter().filter_map(|one| one.loss).collect();
    assert!(losses.last() < losses.first(), "{losses:?}");
    let dev = |trained: &Trained, step: u64| {
        trained.evaluations.iter().find(|one| one.step == step).unwrap().dev.unwrap()
    };
    assert!(dev(&trained, trained.kept) > dev(&trained, 0), "{trained:?}");
    let model = CrossEncoder::open(&out, &EncoderOptions::default()).unwrap();
    // What is saved scores as the ranker did: the held-out queries find as much.
    let data = data();
    let held_out = mined::held_out(data.queries().len(), 0.2, 7);
    let texts: Vec<&str> = data.documents().iter().map(|text| &*text.text).collect();
    let mut first = 0;
    for &query in &held_out {
        let text = &data.queries()[query as usize].text;
        let scores = model.score(text, &texts, &place.pool, &Silent).unwrap();
        let best = (0..texts.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        first += usize::from(best == query as usize);
    }
    assert!(first > 0, "none of {} answers comes first", held_out.len());
    // A cross-encoder makes no vectors; with another search it is trained further.
    place.init.clone_from(&out);
    let error = place.train(&place.out("no search"), false, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("cross("), "{error}");
    place.recipe = cross().with(["negatives.from=bm25", "negatives.ratio=0"]).unwrap();
    let further = place.train(&place.out("further"), false, &Silent).unwrap();
    assert!(dev(&further, 0) > 0.0);
}

#[test]
fn what_late_interaction_learned_is_saved_and_scores_as_it_did() {
    for tier in ["tier=model", "tier=states"] {
        let map = "matching=maxsim(linear(8) > unit)";
        let mut place = Place::new(short("late").with([tier, map]).unwrap());
        let out = place.out("late");
        let trained = place.train(&out, false, &Silent).unwrap();
        let model = LateEncoder::open(&out, &EncoderOptions::default()).unwrap();
        assert!(model.is_trained());
        assert_eq!(model.dimensions(), 8);
        let read = Encoder::open(&tiny(), &EncoderOptions::default()).unwrap().max_tokens();
        assert_eq!([Role::Query, Role::Document].map(|role| model.max_tokens(role)), [read; 2]);
        let evaluation = trained.evaluations.iter().find(|one| one.step == trained.kept);
        assert!(evaluation.unwrap().dev > trained.evaluations[0].dev, "{tier}: {trained:?}");
        // What is saved ranks the held-out queries far better than chance, which has a tenth of the answers so near.
        let data = data();
        let texts: Vec<&str> = data.documents().iter().map(|text| &*text.text).collect();
        let mut near = 0;
        let held_out = mined::held_out(data.queries().len(), 0.2, 7);
        for &query in &held_out {
            let text = &data.queries()[query as usize].text;
            let scores = model.score(text, &texts, None, &place.pool, &Silent).unwrap();
            let better = scores.iter().filter(|&&score| score > scores[query as usize]).count();
            near += usize::from(better < 3);
        }
        assert!(near * 3 >= held_out.len(), "{tier}: {near} of {}", held_out.len());
        // It makes no vectors, so nothing else can begin with it.
        place.init.clone_from(&out);
        let error = place.train(&place.out("further"), false, &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains("maxsim("), "{error}");
    }
}

#[test]
fn weights_of_terms_that_were_learned_are_saved_and_rank_as_they_did() {
    let twice = "matching=dot(ones | transform > lexical-twice)";
    let alike = "matching=dot(transform > lexical)";
    for (name, change, looks_up) in [
        ("sparse", "tier=model", true),
        ("inference-free", "tier=states", true),
        ("inference-free", twice, true),
        ("sparse", alike, false),
    ] {
        let slow = "optimiser.learning_rate=0.0001";
        let place = Place::new(changed(name, &[change, slow, "schedule.epochs=2"]));
        let out = place.out("sparse");
        let trained = place.train(&out, false, &Silent).unwrap();
        assert!(SparseEncoder::opens(&out).unwrap());
        let model = SparseEncoder::open(&out, &EncoderOptions::default()).unwrap();
        assert_eq!(model.looks_queries_up(), looks_up);
        let data = data();
        let encoded = |texts: &[Text], role| {
            let texts: Vec<&str> = texts.iter().map(|text| &*text.text).collect();
            model.encode(&texts, role, &place.pool, &Silent).unwrap()
        };
        let queries = encoded(data.queries(), Role::Query);
        let documents = encoded(data.documents(), Role::Document);
        let held_out = mined::held_out(data.queries().len(), 0.2, 7);
        // Where another document is as near, rounding decides: states from the cache are in half precision.
        let ndcg = |margin: f32| {
            let of_query = |&query: &u32| {
                let score = |document: usize| inner(&queries[query as usize], &documents[document]);
                let own = score(query as usize) * (1.0 + margin);
                let is_better =
                    |&document: &usize| document != query as usize && score(document) > own;
                let better = (0..documents.len()).filter(is_better).count();
                if better < 10 { 1.0 / (better as f64 + 2.0).log2() } else { 0.0 }
            };
            held_out.iter().map(of_query).sum::<f64>() / held_out.len() as f64
        };
        let evaluation = trained.evaluations.iter().find(|one| one.step == trained.kept).unwrap();
        let expected = evaluation.dev.unwrap();
        let margin = if change == "tier=states" { 1e-2 } else { 1e-5 };
        let (least, most) = (ndcg(-margin), ndcg(margin));
        // Where it was judged, some documents were left out: it cannot have been worse, nor much better.
        let is_alike = least <= expected && expected <= most + 0.2;
        assert!(is_alike, "{name}, {change}: {expected}, {least} to {most}");
        assert!(expected > 0.3, "{name}, {change}: {expected}");
        // It makes no vectors, so nothing that needs some can begin with it.
        let error = Encoder::open(&out, &EncoderOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains("sparse"), "{error}");
    }
}

fn inner(query: &SparseVector, document: &SparseVector) -> f32 {
    let weight = |term: &u32| {
        document.terms.binary_search(term).map_or(0.0, |place| document.weights[place])
    };
    query.terms.iter().zip(&query.weights).map(|(term, of_query)| of_query * weight(term)).sum()
}

#[test]
fn a_run_that_goes_on_ends_with_the_bits_of_one_that_was_never_stopped() {
    let debiased = recipe().with(["negatives.debias=coupled(warmup=3)"]).unwrap();
    for recipe in [recipe(), cross(), short("late"), short("sparse"), debiased] {
        goes_on(recipe);
    }
}

fn goes_on(recipe: Recipe) {
    let place = Place::new(recipe);
    let whole = place.out("whole");
    let trained = place.train(&whole, false, &Silent).unwrap();
    // 60 texts are encoded and 24 queries mined before anything is kept; then evaluations and steps take turns.
    let mut stopped = 0;
    for units in (70..1000).step_by(17) {
        let out = place.out(&format!("stopped-{units}"));
        let Err(error) = place.train(&out, false, &After(units.into())) else { break };
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        stopped += 1;
        assert!(!out.exists());
        let resumed = place.train(&out, true, &Silent).unwrap();
        assert_eq!(resumed, trained, "{units}");
        let weights = |model: &Path| fs_err::read(model.join("model.safetensors")).unwrap();
        assert!(weights(&whole) == weights(&out), "{units}");
    }
    assert!(stopped > 5, "{stopped}");
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let weights = |threads: usize| {
        let mut place = Place::new(recipe().with(["schedule.epochs=1"]).unwrap());
        place.pool = pool(threads);
        let out = place.out(&format!("threads-{threads}"));
        place.train(&out, false, &Silent).unwrap();
        fs_err::read(out.join("model.safetensors")).unwrap()
    };
    assert!(weights(1) == weights(2));
}

#[test]
fn what_is_there_already_is_not_touched() {
    let mut place = Place::new(recipe());
    let out = place.out("model");
    fs_err::create_dir(&out).unwrap();
    let error = place.train(&out, false, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("exists already"), "{error}");
    let out = place.out("stopped");
    place.train(&out, false, &After(120.into())).unwrap_err();
    let error = place.train(&out, false, &Silent).unwrap_err();
    assert!(error.to_string().contains("--resume"), "{error}");
    place.recipe = place.recipe.with(["optimiser.clip=2"]).unwrap();
    let error = place.train(&out, true, &Silent).unwrap_err();
    assert!(error.to_string().contains("another recipe"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[test]
fn a_loss_that_is_no_number_stops_with_its_place() {
    let place = Place::new(recipe().with(["optimiser.learning_rate=1e30"]).unwrap());
    let error = place.train(&place.out("model"), false, &Silent).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("not a number") && text.contains("step ") && text.contains('q'),
        "{text}"
    );
    assert!(!place.out("model").exists());
}

#[test]
fn every_setting_changes_what_comes_out() {
    let plain = recipe().with(["schedule.epochs=4", "schedule.evaluations=4"]).unwrap();
    let first = fingerprint(&plain);
    assert_eq!(first, fingerprint(&plain));
    let changes = [
        "tier=vectors",
        "tier=states",
        "matching=dot(pooled)",
        "matching=cosine(pooled > linear)",
        "loss=infonce(temperature=0.2)",
        "encoding.query_tokens=4",
        "encoding.document_tokens=4",
        "encoding.freeze_below=1",
        "batches.queries=5",
        "batches.negatives=2",
        "batches.shared=false",
        "batches.sampler=clusters(count=3)",
        "negatives.from=random",
        "optimiser.algorithm=schedule-free",
        "negatives.depth=5",
        "negatives.keep=2",
        "negatives.ratio=0.5",
        "negatives.debias=coupled(temperature=0.05)",
        "optimiser.learning_rate=0.002",
        "optimiser.weight_decay=0.5",
        "optimiser.clip=0.1",
        "optimiser.schedule=constant",
        "schedule.epochs=1",
        "schedule.evaluations=1",
        "schedule.patience=1",
        "schedule.dev=0.1",
    ];
    for change in changes {
        let changed = plain.with([change]).unwrap();
        assert_ne!(first, fingerprint(&changed), "{change}");
    }
    // Of a cross-encoder, too.
    let short = ["encoding.query_tokens=6", "encoding.document_tokens=6"];
    let pairs = cross().with(short).unwrap();
    let first = fingerprint(&pairs);
    let changes = ["encoding.query_tokens=5", "encoding.document_tokens=5", "batches.queries=1"];
    for change in changes.into_iter().chain(["batches.negatives=1", "negatives.from=random"]) {
        assert_ne!(first, fingerprint(&pairs.with([change]).unwrap()), "{change}");
    }
    // What takes effect only together with others.
    let debiased = plain.with(["negatives.debias=coupled"]).unwrap();
    let first = fingerprint(&debiased);
    for change in ["temperature=0.1", "warmup=5"] {
        let change = format!("negatives.debias=coupled({change})");
        assert_ne!(first, fingerprint(&debiased.with([&*change]).unwrap()), "{change}");
    }
    let taught = plain.with(["teachers=[\"dense\"]", "loss=margin-mse"]).unwrap();
    let first = fingerprint(&taught);
    for change in ["batches.pairs=margin-bins", "teachers=[\"4*min-max(dense)\"]"] {
        assert_ne!(first, fingerprint(&taught.with([change]).unwrap()), "{change}");
    }
}

/// What a recipe makes: the weights, and how it went.
fn fingerprint(recipe: &Recipe) -> (u32, Vec<Evaluation>) {
    let place = Place::new(recipe.clone());
    let out = place.out("model");
    let trained = place.train(&out, false, &Silent).unwrap();
    let read = |name: &str| fs_err::read(out.join(name)).unwrap_or_default();
    let bytes: Vec<u8> = ["model.safetensors", "modules.json", "3_Dense/model.safetensors"]
        .into_iter()
        .flat_map(read)
        .collect();
    (ecphory_core::checksum::crc32(&bytes), trained.evaluations)
}
