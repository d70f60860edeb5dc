use std::path::PathBuf;

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::Role;

use super::*;
use crate::data::{Judgment, TrainingData};
use crate::recipe::Method;
use crate::run::tests::{After, tiny};
use crate::source::Sources;

const DOCUMENTS: usize = 24;

/// Texts of three sentences, each document with letters of its own.
fn texts() -> Vec<Text> {
    let letter = |number: usize| char::from(b'a' + (number % 26) as u8);
    let text = |number: usize| {
        let word = |j: usize| format!("{}{} ", letter(3 * number + j), letter(5 * number + j));
        let [first, second, third] = [0, 1, 2].map(|j| word(j).repeat(4));
        let text = format!("{first}. {second}! {third}");
        Text { id: format!("d{number}"), text }
    };
    (0..DOCUMENTS).map(text).collect()
}

fn recipe(changes: &[&str]) -> ViewRecipe {
    let short = [
        "batches.documents=4",
        "schedule.steps=30",
        "schedule.evaluations=3",
        "optimiser.learning_rate=0.02",
    ];
    let all = short.iter().chain(changes).copied();
    match Method::named("contriever").unwrap().with(all).unwrap() {
        Method::Views(recipe) => recipe,
        other => panic!("{other:?}"),
    }
}

struct Place {
    folder: tempfile::TempDir,
    data: TrainingData,
}

impl Place {
    fn new() -> Self {
        let data = TrainingData::of_documents(texts()).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), data }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn train(
        &self,
        recipe: &ViewRecipe,
        out: &Path,
        (threads, resume): (usize, bool),
        progress: &dyn Progress,
    ) -> Result<Trained> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (data, init, pool) = (&self.data, &*tiny(), &pool);
        let (sources, cache) = (&Sources::default(), None);
        let job = Job { data, recipe, init, out, seed: 7, sources, cache, pool, resume };
        train_from_views(&job, progress)
    }

    fn trained(&self, recipe: &ViewRecipe, name: &str) -> Trained {
        self.train(recipe, &self.out(name), (2, false), &Silent).unwrap()
    }

    fn table(&self, name: &str) -> Vec<u8> {
        fs_err::read(self.out(name).join("model.safetensors")).unwrap()
    }
}

#[test]
fn a_table_learns_from_documents_alone_and_becomes_a_static_encoder() {
    let place = Place::new();
    for keys in ["keys=in-batch", "keys=queue(size=8, decay=0.9)"] {
        let recipe = recipe(&[keys, "schedule.steps=300", "matching=dot(mean)"]);
        let name = keys.replace([' ', '=', ',', '(', ')'], "-");
        let trained = place.trained(&recipe, &name);
        let apart: Vec<f64> = trained.evaluations.iter().filter_map(|one| one.told_apart).collect();
        assert_eq!(apart.len(), 4, "{trained:?}");
        assert!(apart[3] > apart[0] + 0.1, "{keys}: {apart:?}");
        assert!(trained.evaluations.iter().all(|one| one.dev.is_none()));
        let Trained { steps, kept, pairs, held_out, documents, .. } = trained;
        assert_eq!((steps, kept, pairs, held_out, documents), (300, 300, 0, 0, DOCUMENTS));
        let out = place.out(&name);
        assert_eq!(Trained::of(&out).unwrap(), Some(trained));
        let encoder = Encoder::open(&out, &EncoderOptions::default()).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let vector = |text: &str| encoder.encode(&[text], Role::Document, &pool, &Silent).unwrap();
        // A text is the mean of its pieces' rows, and nothing else.
        let (one, other, both) = (vector("a"), vector("b"), vector("a b"));
        for ((one, other), both) in one.iter().zip(&other).zip(&both) {
            assert!((f32::midpoint(*one, *other) - both).abs() < 1e-6);
        }
    }
}

#[test]
fn a_run_that_goes_on_ends_with_the_bits_of_one_that_was_never_stopped() {
    for (keys, size) in
        [("in-batch", 0), ("queue(decay=0.9)", 4), ("queue(size=12, decay=0.9)", 12)]
    {
        let place = Place::new();
        let recipe = recipe(&[&*format!("keys={keys}")]);
        let trained = place.trained(&recipe, "whole");
        // The queue is full after so many steps, and the first loss comes after that.
        let seen = trained.evaluations[1].loss;
        assert!(seen.is_some() && size < 40, "{trained:?}");
        let mut stopped = 0;
        // 24 documents are read before anything is kept.
        for units in (25..54).step_by(4) {
            let name = format!("stopped-{units}");
            let out = place.out(&name);
            let stop = After::units(units);
            let error = place.train(&recipe, &out, (2, false), &stop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Interrupted);
            assert!(!out.exists());
            stopped += 1;
            let again = place.train(&recipe, &out, (1, false), &Silent).unwrap_err();
            assert_eq!(again.kind(), ErrorKind::Conflict, "{again}");
            // Twice on the way, the second time on another number of threads.
            let stop = After::units(24 + 3);
            let more = place.train(&recipe, &out, (1, true), &stop);
            let resumed = match more {
                Err(_) => place.train(&recipe, &out, (2, true), &Silent).unwrap(),
                Ok(resumed) => resumed,
            };
            assert_eq!(resumed, trained, "{keys}, {units}");
            assert!(place.table(&name) == place.table("whole"), "{keys}, {units}");
        }
        assert_eq!(stopped, 8);
    }
}

#[test]
fn every_setting_changes_what_comes_out() {
    let place = Place::new();
    let plain = recipe(&[]);
    let made = |recipe: &ViewRecipe, name: &str| {
        let evaluations = place.trained(recipe, name).evaluations;
        let modules = fs_err::read(place.out(name).join("modules.json")).unwrap();
        (place.table(name), modules, evaluations)
    };
    let first = made(&plain, "plain");
    assert!(first == made(&plain, "again"));
    let changes = [
        "view=crop(least=0.2, most=0.5) > delete(share=0.1)",
        "view=crop(least=0.1, most=0.5)",
        "view=ict",
        "keys=in-batch",
        "keys=queue(decay=0.5)",
        "keys=queue(size=12, decay=0.99)",
        "matching=dot(mean)",
        "loss=infonce(temperature=0.2)",
        "encoding.document_tokens=8",
        "batches.documents=3",
        "optimiser.learning_rate=0.01",
        "optimiser.weight_decay=0.5",
        "optimiser.clip=0.01",
        "optimiser.schedule=constant",
        "schedule.steps=20",
        "schedule.evaluations=1",
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let changed = recipe(&[change]);
        assert!(first != made(&changed, &format!("changed-{number}")), "{change}");
    }
}

#[test]
fn labels_are_not_read() {
    let query = Text { id: "q".to_owned(), text: "zz top".to_owned() };
    let judgment = Judgment { query: "q", document: "d0", relevant: true };
    let judged = TrainingData::new(texts(), vec![query], [judgment]).unwrap();
    let mut place = Place::new();
    place.trained(&recipe(&[]), "alone");
    place.data = judged;
    place.trained(&recipe(&[]), "judged");
    assert!(place.table("alone") == place.table("judged"));
}

#[test]
fn what_makes_no_sense_is_an_error_of_its_kind() {
    let place = Place::new();
    let named = Method::named("contriever").unwrap();
    for (change, said) in [
        ("teachers=[\"bm25\"]", "`contriever` has no setting `teachers`: it learns from views"),
        ("negatives.from=bm25", "no setting `negatives.from`"),
        ("batches.queries=4", "no setting `batches.queries`"),
        ("batches.docments=4", "did you mean `batches.documents`"),
        ("optimiser.schedule=plateau(factor=0.5, patience=1)", "optimiser.schedule has to be"),
        ("loss=kl", "teacher"),
        ("view=words", "`crop` or `ict`"),
        ("schedule.evaluations=2000", "from 1 to schedule.steps"),
    ] {
        let error = named.with([change]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{change}: {error}");
        assert!(error.to_string().contains(said), "{change}: {error}");
    }
    for matching in ["dot(mean > linear)", "dot(unit)", "dot(cls)", "maxsim(unit)"] {
        let error = named.with([&*format!("matching={matching}")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{matching}: {error}");
        assert!(error.to_string().starts_with("matching has to be dot or cosine"), "{error}");
    }
    let odd = recipe(&["keys=queue(size=6, decay=0.9)"]);
    let error = place.train(&odd, &place.out("no"), (1, false), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    assert!(error.to_string().contains("a multiple of the batch"), "{error}");
    let diverges = recipe(&["optimiser.learning_rate=1e38", "optimiser.clip=0"]);
    let error = place.train(&diverges, &place.out("no"), (1, false), &Silent).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("not a number (documents d"), "{text}");
    assert!(!place.out("no").exists());
}
