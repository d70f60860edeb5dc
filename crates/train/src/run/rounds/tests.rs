use std::path::PathBuf;

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::CrossEncoder;

use super::*;
use crate::data::TrainingData;
use crate::recipe::Method;
use crate::run::tests::{After, data, tiny};
use crate::source::ScoreMatrix;

fn recipe(changes: &[&str]) -> RoundRecipe {
    let short = [
        "batches.queries=6",
        "batches.negatives=4",
        "negatives.depth=12",
        "negatives.keep=8",
        "optimiser.learning_rate=0.02",
        "warm_up.retriever=5",
        "warm_up.ranker=6",
        "rounds.count=2",
        "rounds.ranker=4",
        "rounds.retriever=7",
        "schedule.dev=0.2",
    ];
    let all = short.iter().chain(changes).copied();
    match Method::named("ar2").unwrap().with(all).unwrap() {
        Method::Rounds(recipe) => recipe,
        other => panic!("{other:?}"),
    }
}

struct Place {
    folder: tempfile::TempDir,
    data: TrainingData,
    bm25: ScoreMatrix,
}

impl Place {
    fn new() -> Self {
        let data = data();
        let count = data.documents().len();
        let scores = (0..count * count).map(|i| ((i * i) % 7) as f32).collect();
        let bm25 = ScoreMatrix::new(count, scores).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), data, bm25 }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn train(
        &self,
        recipe: &RoundRecipe,
        out: &Path,
        (threads, resume): (usize, bool),
        progress: &dyn Progress,
    ) -> Result<Trained> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let sources = Sources::default().with("bm25", self.bm25.source());
        let (data, init, pool, sources) = (&self.data, &*tiny(), &pool, &sources);
        let job = Job { data, recipe, init, out, seed: 7, sources, cache: None, pool, resume };
        train_in_rounds(&job, progress)
    }

    /// Trains, and returns what came of it with the bytes of the model.
    fn made(&self, recipe: &RoundRecipe, name: &str) -> (Trained, Vec<u8>) {
        let trained = self.train(recipe, &self.out(name), (2, false), &Silent).unwrap();
        (trained, self.bytes(name))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        let read = |file: &str| fs_err::read(self.out(name).join(file)).unwrap_or_default();
        ["model.safetensors", "modules.json", "3_Dense/model.safetensors"]
            .into_iter()
            .flat_map(read)
            .collect()
    }
}

#[test]
fn two_players_make_a_retriever() {
    let place = Place::new();
    let (trained, _) = place.made(&recipe(&["schedule.dev=0"]), "out");
    let steps: Vec<u64> = trained.evaluations.iter().map(|one| one.step).collect();
    assert_eq!(steps, [0, 5, 12, 19]);
    assert_eq!((trained.steps, trained.kept, trained.pairs), (19, 19, 30));
    assert_eq!(Trained::of(&place.out("out")).unwrap(), Some(trained));
    let encoder = Encoder::open(&place.out("out"), &EncoderOptions::default()).unwrap();
    let before = Encoder::open(&tiny(), &EncoderOptions::default()).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let vector = |model: &Encoder| model.encode(&["a cat"], Role::Query, &pool, &Silent).unwrap();
    assert_ne!(vector(&encoder), vector(&before));
    assert!(!CrossEncoder::opens(&place.out("out")).unwrap());
    // Of what is held out the best is kept.
    let (trained, _) = place.made(&recipe(&[]), "best");
    let dev: Vec<f64> = trained.evaluations.iter().map(|one| one.dev.unwrap()).collect();
    let kept = trained.evaluations.iter().find(|one| one.step == trained.kept).unwrap();
    assert_eq!(kept.dev, dev.iter().copied().reduce(f64::max));
    assert_eq!(trained.held_out, 6);
}

#[test]
fn a_run_that_goes_on_ends_with_the_bits_of_one_that_was_never_stopped() {
    let place = Place::new();
    // All that was done is kept, whether it did better or not.
    let recipe = recipe(&["schedule.dev=0"]);
    let (trained, bytes) = place.made(&recipe, "whole");
    let mut stopped = 0;
    // 60 texts are encoded and 60 rankings scaled before anything is kept; then 30 queries mined.
    for units in (150..2000).step_by(9) {
        let name = format!("stopped-{units}");
        let out = place.out(&name);
        let stop = After::units(units);
        let Err(error) = place.train(&recipe, &out, (2, false), &stop) else { break };
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(!out.exists());
        stopped += 1;
        let resumed = place.train(&recipe, &out, (1, true), &Silent).unwrap();
        assert_eq!(resumed, trained, "{units}");
        assert!(place.bytes(&name) == bytes, "{units}");
    }
    assert!(stopped > 20, "{stopped}");
}

#[test]
fn every_setting_changes_what_comes_out() {
    let place = Place::new();
    let first = place.made(&recipe(&[]), "plain");
    let evaluations = |made: (Trained, Vec<u8>)| (made.0.evaluations, made.1);
    let first = evaluations(first);
    assert!(first == evaluations(place.made(&recipe(&[]), "again")));
    let changes = [
        "matching=dot(pooled > linear)",
        "loss=kl(temperature=0.05)",
        "encoding.query_tokens=4",
        "encoding.document_tokens=4",
        "batches.queries=5",
        "batches.negatives=3",
        "negatives.depth=8",
        "negatives.keep=6",
        "negatives.ratio=0.8",
        "optimiser.learning_rate=0.01",
        "optimiser.weight_decay=0.5",
        "optimiser.clip=0.1",
        "optimiser.schedule=constant",
        "ranker.sees=[\"bm25\"]",
        "ranker.hidden=16",
        "ranker.learning_rate=0.01",
        "ranker.weight_decay=5",
        "warm_up.loss=infonce(temperature=0.2)",
        "warm_up.retriever=4",
        "warm_up.ranker=5",
        "rounds.count=1",
        "rounds.ranker=3",
        "rounds.retriever=6",
        "schedule.dev=0.1",
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let made = place.made(&recipe(&[change]), &format!("changed-{number}"));
        assert!(first != evaluations(made), "{change}");
    }
}

#[test]
fn what_makes_no_sense_is_an_error_of_its_kind() {
    let named = Method::named("ar2").unwrap();
    for (change, said) in [
        ("teachers=[\"bm25\"]", "`ar2` has no setting `teachers`: it learns from its ranker"),
        ("negatives.from=bm25", "no setting `negatives.from`"),
        ("schedule.epochs=2", "no setting `schedule.epochs`"),
        ("matching=cross", "matching has to be one over vectors"),
        ("rounds.count=0", "rounds.count has to be 1 or more"),
        ("warm_up.loss=kl", "teacher"),
        ("negatives.keep=3", "from batches.negatives to negatives.depth"),
    ] {
        let error = named.with([change]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{change}: {error}");
        assert!(error.to_string().contains(said), "{change}: {error}");
    }
    let place = Place::new();
    let unknown = recipe(&["ranker.sees=[\"bm52\"]"]);
    let error = place.train(&unknown, &place.out("no"), (1, false), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    assert!(error.to_string().contains("bm52") && error.to_string().contains("bm25"), "{error}");
    let words = recipe(&["matching=word-maxsim(linear > words)"]);
    let error = place.train(&words, &place.out("no"), (1, false), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    assert!(error.to_string().contains("no layout"), "{error}");
}
