//! `train` as a real process: a model that everything else takes, and what is wrong with its input.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Place;

/// A data set of two things in either order, with a tiny BERT beside it.
fn place() -> Place {
    let place = Place::new();
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/golden/tiny/bert-mean");
    copy(&tiny, &place.path("tiny"));
    let things = ["cat", "dog", "rat", "bat", "hat"];
    let (mut corpus, mut queries) = (String::new(), String::new());
    let mut qrels = "query-id\tcorpus-id\tscore\n".to_owned();
    for (a, first) in things.iter().enumerate() {
        for (b, second) in things.iter().enumerate().filter(|(b, _)| *b != a) {
            let text = format!("the {first} and a {second}");
            writeln!(corpus, "{}", json!({"_id": format!("d{a}{b}"), "text": text})).unwrap();
            let text = format!("{first} is on the {second}");
            writeln!(queries, "{}", json!({"_id": format!("q{a}{b}"), "text": text})).unwrap();
            writeln!(qrels, "q{a}{b}\td{a}{b}\t1").unwrap();
        }
    }
    place.write("set/corpus.jsonl", corpus);
    place.write("set/queries.jsonl", queries);
    place.write("set/qrels/train.tsv", qrels);
    place
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs_err::copy(entry.path(), target).unwrap();
        }
    }
}

/// A short training; `more` comes last.
fn train<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["train", "dense", "--data", "./set", "--init", "./tiny", "--out", out];
    let settings = ["schedule.epochs=2", "negatives.ratio=1", "optimiser.learning_rate=0.002"];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    arguments.extend(more);
    arguments
}

#[test]
fn a_trained_model_goes_wherever_a_model_goes() {
    let place = place();
    let trained = place.json(&train("trained", &[]));
    let evaluations = trained["training"]["evaluations"].as_array().unwrap();
    assert_eq!(evaluations.len() as u64, 1 + 2, "{trained}");
    assert_eq!(trained["training"]["held_out"], 2);
    let shown = place.ok(&["models", "show", "./trained"]);
    assert!(shown.contains("bert") && shown.contains("by `dense` on 18 pairs"), "{shown}");
    place.ok(&["index", "t.ecp", "set/corpus.jsonl", "--channel", "dense=./trained"]);
    let found = place.ok(&["search", "t.ecp", "a cat", "--pipeline", "dense % 3"]);
    assert!(found.contains('d'), "{found}");
    let vectors = place.ok(&["encode", "./trained", "--text", "a cat"]);
    assert_ne!(vectors, place.ok(&["encode", "./tiny", "--text", "a cat"]));
    // The same command gives the same bytes, on another number of threads too.
    place.ok(&train("again", &["--threads", "1"]));
    let weights = |name: &str| fs_err::read(place.path(name).join("model.safetensors")).unwrap();
    assert!(weights("trained") == weights("again"));
    place.ok(&train("other", &["--seed", "8"]));
    assert!(weights("trained") != weights("other"));
}

#[test]
fn a_recipe_of_a_paper_learns_from_what_the_collection_ranks() {
    let place = place();
    let mut arguments = train("trained", &["--set", "batches.sampler=clusters(count=3)"]);
    arguments[1] = "tas-b";
    let trained = place.json(&arguments);
    assert_eq!(trained["training"]["pairs"], 18, "{trained}");
    place.ok(&["encode", "./trained", "--text", "a cat"]);
    let said = place.fails(2, &train("out", &["--channel", "bm25"]));
    assert!(said.contains("negatives.from"), "{said}");
    // Heads over cached vectors become a module of the directory.
    let adapter = ["--set", "tier=vectors", "--set", "matching=cosine(pooled > linear)"];
    place.ok(&train("adapted", &adapter));
    assert!(place.path("adapted/3_Dense/model.safetensors").is_file());
    place.ok(&["encode", "./adapted", "--text", "a cat"]);
    let said = place.fails(2, &train("out", &["--set", "negatives.from=bm52"]));
    assert!(said.contains("bm52") && said.contains("dense"), "{said}");
    let said = place.fails(2, &train("out", &["--set", "matching=word-maxsim(linear > words)"]));
    assert!(said.contains("no layout"), "{said}");
}

#[test]
fn a_reranker_reranks_and_teaches() {
    let place = place();
    let mut arguments = train("reranker", &[]);
    arguments[1] = "cross";
    let trained = place.json(&arguments);
    assert_eq!(trained["training"]["pairs"], 18, "{trained}");
    let shown = place.ok(&["models", "show", "./reranker"]);
    assert!(shown.contains("cross-encoder") && shown.contains("by `cross` on 18 pairs"), "{shown}");
    place.ok(&["index", "t.ecp", "set/corpus.jsonl", "--channel", "bm25"]);
    let pipeline = "bm25 % 5 >> cross(\"./reranker\")";
    let found = place.ok(&["search", "t.ecp", "cat is on the dog", "--pipeline", pipeline]);
    assert!(found.contains('d'), "{found}");
    // Its scores are no cosines.
    let said =
        place.fails(3, &["index", "u.ecp", "set/corpus.jsonl", "--channel", "dense=./reranker"]);
    assert!(said.contains("cross(") && said.contains("config.json"), "{said}");
    let taught = ["--set", "teachers=[\"cross(./reranker)\"]", "--set", "loss=kl"];
    place.ok(&train("taught", &taught));
    let weights = |name: &str| fs_err::read(place.path(name).join("model.safetensors")).unwrap();
    place.ok(&train("plain", &[]));
    assert!(weights("taught") != weights("plain"));
    // It is trained further beside a search that another model makes.
    let mut arguments = train("further", &["--channel", "bm25", "--channel", "dense=./tiny"]);
    (arguments[1], arguments[5]) = ("cross", "./reranker");
    let trained = place.json(&arguments);
    assert_eq!(trained["training"]["pairs"], 18, "{trained}");
    let mut arguments = train("out", &[]);
    (arguments[1], arguments[5]) = ("cross", "./reranker");
    let said = place.fails(2, &arguments);
    assert!(said.contains("--channel dense="), "{said}");
    let said = place.fails(4, &train("out", &["--set", "teachers=[\"cross(./nothing)\"]"]));
    assert!(said.contains("nothing"), "{said}");
}

#[test]
fn late_interaction_is_trained_for_a_pipeline() {
    let place = place();
    let mut arguments = train("late", &[]);
    arguments[1] = "late";
    let trained = place.json(&arguments);
    assert_eq!(trained["training"]["pairs"], 18, "{trained}");
    let shown = place.ok(&["models", "show", "./late"]);
    assert!(shown.contains("late interaction") && shown.contains("by `late` on 18"), "{shown}");
    place.ok(&["index", "t.ecp", "set/corpus.jsonl", "--channel", "bm25"]);
    let step = |model: &str| format!("bm25 % 5 >> maxsim(\"{model}\")");
    let search = |model: &str| {
        place.ok(&["search", "t.ecp", "cat is on the dog", "--pipeline", &step(model)])
    };
    assert!(search("./late").contains('d'));
    let explained =
        ["search", "t.ecp", "cat is on the dog", "--pipeline", &step("./late"), "--explain"];
    let explained = place.ok(&explained);
    assert!(explained.contains("token cat nearest"), "{explained}");
    // It makes a vector of each token and none of a text.
    let said = place.fails(3, &["index", "u.ecp", "set/corpus.jsonl", "--channel", "dense=./late"]);
    assert!(said.contains("maxsim(") && said.contains("modules.json"), "{said}");
    let said = place.fails(3, &["encode", "./late", "--text", "a cat"]);
    assert!(said.contains("maxsim("), "{said}");
}

#[test]
fn a_claim_ends_with_a_verdict() {
    let place = place();
    let listed = place.ok(&["repro", "--list"]);
    assert!(listed.contains("tas-b (T0)"), "{listed}");
    let arguments = ["repro", "tas-b", "--data", "./set", "--init", "./tiny"];
    let report = place.json(&[&arguments[..], &["--markdown", "verdicts.md"]].concat());
    let verdict = report["verdict"].as_str().unwrap();
    assert!(["reproduced", "mechanism only", "not reproduced"].contains(&verdict), "{report}");
    assert_eq!(report["claim"], "tas-b");
    let arms = report["arms"].as_array().unwrap();
    assert!(arms.iter().all(|arm| arm["metric"]["set"].is_number()), "{report}");
    assert!(arms[1..].iter().all(|arm| arm["p_values"]["set"].is_number()), "{report}");
    assert!(report["contrasts"][0]["queries"] == 20, "{report}");
    let table = fs_err::read_to_string(place.path("verdicts.md")).unwrap();
    assert!(table.contains(verdict) && table.contains("`tas-b`"), "{table}");
    // One that draws its own folds and reads states of tokens.
    let report = place.json(&["repro", "interpolation", "--data", "./set", "--init", "./tiny"]);
    assert_eq!(report["arms"].as_array().unwrap().len(), 7, "{report}");
    assert!(report["verdict"].is_string(), "{report}");
    // What a lock describes can be run again, and nothing else.
    let locked = [&arguments[..], &["--small", "--lock", "tas-b.lock"]].concat();
    let numbers = |report: &Value| (report["arms"].clone(), report["mechanisms"].clone());
    let (first, again) = (place.json(&locked), place.json(&locked));
    assert_eq!(numbers(&first), numbers(&again));
    let said = place.fails(5, &[&arguments[..], &["--lock", "tas-b.lock"]].concat());
    assert!(said.contains("folds: 1 of 5, here 5 of 5") && said.contains("seeds"), "{said}");
    place.write("tas-b.lock", "{}");
    let said = place.fails(3, &locked);
    assert!(said.contains("no lock of an experiment"), "{said}");
    let said = place.fails(2, &["repro", "tas-c", "--data", "./set", "--init", "./tiny"]);
    assert!(said.contains("did you mean `tas-b`"), "{said}");
}

/// Were something not seen that should be, the code would be another.
#[test]
fn a_claim_without_labels_is_seen_on_the_way() {
    let place = place();
    // Three sentences, each of a word that no other sentence of the document has.
    let letter = |number: usize| char::from(b'a' + (number % 26) as u8);
    let mut corpus = String::new();
    for number in 0..20 {
        let word = |j: usize| format!("{}{} ", letter(3 * number + j), letter(5 * number + j));
        let [first, second, third] = [0, 1, 2].map(|j| word(j).repeat(5));
        let text = format!("{first}. {second}! {third}");
        let id = format!("d{}{}", number / 4, (number / 4 + 1 + number % 4) % 5);
        writeln!(corpus, "{}", json!({"_id": id, "text": text})).unwrap();
    }
    place.write("set/corpus.jsonl", corpus);
    let arguments = ["repro", "contriever", "--data", "./set", "--init", "./tiny", "--small"];
    let report = place.json(&arguments);
    let arms = report["arms"].as_array().unwrap();
    assert!(arms.iter().all(|arm| arm["metric"]["set"].is_number()), "{report}");
    let mechanisms = report["mechanisms"].as_array().unwrap();
    assert!(mechanisms.len() == 3 && mechanisms.iter().all(|one| one["holds"] == true), "{report}");
    assert_ne!(mechanisms[2]["seen"], "0 of 0 a run", "{report}");
}

/// A corpus of some documents, and nothing else.
fn bare_corpus(place: &Place) {
    let letter = |number: usize| char::from(b'a' + (number % 26) as u8);
    let mut corpus = String::new();
    for number in 0..16 {
        let word = |j: usize| format!("{}{} ", letter(3 * number + j), letter(5 * number + j));
        let [first, second] = [0, 1].map(|j| word(j).repeat(6));
        let text = format!("{first}. {second}");
        writeln!(corpus, "{}", json!({"_id": format!("d{number}"), "text": text})).unwrap();
    }
    place.write("bare/corpus.jsonl", corpus);
}

#[test]
fn a_corpus_alone_makes_a_model_that_goes_wherever_a_model_goes() {
    let place = place();
    bare_corpus(&place);
    let run = |out: &'static str, more: &[&'static str]| {
        let mut arguments =
            vec!["train", "contriever", "--data", "./bare", "--init", "./tiny", "--out", out];
        for setting in ["batches.documents=4", "schedule.steps=20", "schedule.evaluations=2"] {
            arguments.extend(["--set", setting]);
        }
        arguments.extend(more);
        arguments
    };
    let trained = place.json(&run("table", &[]));
    assert_eq!(trained["training"]["documents"], 16, "{trained}");
    let evaluations = trained["training"]["evaluations"].as_array().unwrap();
    assert!(evaluations.iter().all(|one| one["told_apart"].is_number()), "{trained}");
    let told = place.ok(&run("again", &["--threads", "1"]));
    assert!(told.contains("views of 16 documents") && told.contains("views told apart"), "{told}");
    let weights = |name: &str| fs_err::read(place.path(name).join("model.safetensors")).unwrap();
    assert!(weights("table") == weights("again"));
    let shown = place.ok(&["models", "show", "./table"]);
    assert!(shown.contains("by `contriever` on views of 16 documents"), "{shown}");
    place.ok(&["index", "t.ecp", "set/corpus.jsonl", "--channel", "dense=./table"]);
    assert!(place.ok(&["search", "t.ecp", "a cat", "--pipeline", "dense % 3"]).contains('d'));
    // What is of no use to it is said.
    for (more, said) in [
        (["--split", "train"], "reads no labels"),
        (["--channel", "bm25"], "searches with nothing"),
        (["--set", "teachers=[\"bm25\"]"], "`contriever` has no setting `teachers`"),
    ] {
        let told = place.fails(2, &run("out", &more));
        assert!(told.contains(said), "{told}");
    }
    // A table learns from labels no further.
    let mut further = run("out", &[]);
    further[5] = "./table";
    let told = place.fails(3, &further);
    assert!(told.contains("static table"), "{told}");
    let mut elsewhere = run("out", &[]);
    elsewhere[3] = "./nowhere";
    place.fails(4, &elsewhere);
}

#[test]
fn rounds_of_two_players_make_a_retriever() {
    let place = place();
    let run = |out: &'static str, more: &[&'static str]| {
        let mut arguments =
            vec!["train", "ar2", "--data", "./set", "--init", "./tiny", "--out", out];
        for setting in ["warm_up.retriever=3", "rounds.count=2", "rounds.retriever=3"] {
            arguments.extend(["--set", setting]);
        }
        arguments.extend(more);
        arguments
    };
    let trained = place.json(&run("retriever", &[]));
    let evaluations = trained["training"]["evaluations"].as_array().unwrap();
    assert_eq!(evaluations.len(), 1 + 1 + 2, "{trained}");
    assert_eq!(trained["training"]["pairs"], 18, "{trained}");
    let shown = place.ok(&["models", "show", "./retriever"]);
    assert!(shown.contains("by `ar2` on 18 pairs"), "{shown}");
    // What it learned is a module of the directory.
    assert!(place.path("retriever/3_Dense/model.safetensors").is_file());
    place.ok(&["index", "t.ecp", "set/corpus.jsonl", "--channel", "dense=./retriever"]);
    assert!(place.ok(&["search", "t.ecp", "a cat", "--pipeline", "dense % 3"]).contains('d'));
    let told = place.fails(2, &run("out", &["--set", "negatives.from=bm25"]));
    assert!(told.contains("`ar2` has no setting `negatives.from`"), "{told}");
    let told =
        place.fails(2, &run("out", &["--set", "ranker.sees=[\"dense\"]", "--channel", "bm25"]));
    assert!(told.contains("--channel"), "{told}");
}

#[test]
fn an_absolute_path_is_no_name() {
    let place = place();
    let set = place.path("set");
    let mut arguments = train("out", &["--set", "schedule.epochs=1"]);
    arguments[3] = set.to_str().unwrap();
    let mut command = place.command(&arguments);
    // Where data sets are looked up by name has a folder of that name, too.
    let output = command.env("ECPHORY_DATA", place.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_printed_recipe_is_a_recipe() {
    let place = place();
    let printed = place.ok(&["train", "dense", "--print-recipe", "--set", "schedule.epochs=1"]);
    assert!(printed.contains("epochs = 1"), "{printed}");
    place.write("mine.toml", &printed);
    assert_eq!(place.ok(&["train", "mine.toml", "--print-recipe"]), printed);
    for name in ["contriever", "ar2"] {
        let printed = place.ok(&["train", name, "--print-recipe"]);
        place.write("other.toml", &printed);
        assert_eq!(place.ok(&["train", "other.toml", "--print-recipe"]), printed);
    }
}

#[test]
fn what_is_wrong_has_its_place_and_its_code() {
    let place = place();
    let said = place.fails(2, &train("out", &["--set", "lerning_rate=1"]));
    assert!(said.contains("no setting `lerning_rate`"), "{said}");
    let said = place.fails(2, &["train", "denss", "--print-recipe"]);
    assert!(said.contains("did you mean `dense`"), "{said}");
    let said = place.fails(4, &train("out", &["--split", "dev"]));
    assert!(said.contains("dev") && said.contains("train"), "{said}");
    let said = place.fails(5, &train("set", &[]));
    assert!(said.contains("exists already"), "{said}");
    let elsewhere = ["train", "dense", "--data", "./set", "--init", "./nowhere", "--out", "out"];
    let said = place.fails(4, &elsewhere);
    assert!(said.contains("nowhere"), "{said}");
    place.write("set/qrels/train.tsv", "query-id\tcorpus-id\tscore\nq01\td99\t1\n");
    let said = place.fails(3, &train("out", &[]));
    assert!(said.contains("no document has the id `d99`"), "{said}");
    place.write("set/qrels/train.tsv", "query-id\tcorpus-id\tscore\nq01\td01\t0\n");
    let said = place.fails(3, &train("out", &[]));
    assert!(said.contains("`q01` has no relevant document"), "{said}");
    assert!(!place.path("out").exists() && !place.path("out.training").exists());
}
