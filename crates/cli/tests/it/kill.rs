//! The real binary, ended with SIGKILL at random moments of its work, over and over.
//!
//! A model in this process knows what was acknowledged. After each kill the collection has to hold exactly
//! that, with the batch that was under way as a whole or not at all, and answer as one that is made afresh
//! of the same documents. `ECPHORY_KILLS` says how many kills there are, `ECPHORY_SEED` which documents and
//! moments are drawn; how far a process has come by then is up to the machine.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Place;
use crate::tiny_model::{Sequence, sentence, write_model};

/// How many ids there are: few, so that most are replaced and deleted again and again.
const IDS: usize = 400;
/// How long a process may work before it is killed, at most.
const PATIENCE_MS: usize = 120;

/// What the collection holds, as far as it was acknowledged: documents in the order of their last write.
#[derive(Clone, Default)]
struct Model {
    documents: Vec<Value>,
}

impl Model {
    fn put(&mut self, document: &Value) {
        self.delete(document["_id"].as_str().unwrap());
        self.documents.push(document.clone());
    }

    fn delete(&mut self, id: &str) {
        self.documents.retain(|document| document["_id"] != id);
    }

    fn by_id(&self) -> BTreeMap<&str, &Value> {
        self.documents
            .iter()
            .map(|document| (document["_id"].as_str().unwrap(), document))
            .collect()
    }
}

/// What went wrong, counted.
#[derive(Default)]
struct Losses {
    lost: usize,
    resurrected: usize,
    different: usize,
}

struct Torture {
    place: Place,
    sequence: Sequence,
    model: Model,
    /// Counts the documents ever made, so that no two are equal.
    made: usize,
    losses: Losses,
}

/// A process at work, with everything that it may have done when it ends.
struct Work {
    child: Child,
    /// The states that it passes through: after each batch, or before and after.
    states: Vec<Model>,
    /// How many documents the state is worth in the lines that the process prints.
    worth: Vec<u64>,
}

#[test]
fn nothing_is_lost_by_kills() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let kills = number("ECPHORY_KILLS", 6);
    let seed = number("ECPHORY_SEED", 7);
    println!("seed {seed}");
    let mut torture = Torture::new(seed);
    let mut killed = 0;
    while killed < kills {
        killed += u64::from(torture.round());
    }
    let Losses { lost, resurrected, different } = torture.losses;
    println!("kills: {killed}, lost {lost}, resurrected {resurrected}, different {different}");
    assert_eq!((lost, resurrected, different), (0, 0, 0));
}

impl Torture {
    fn new(seed: u64) -> Self {
        let place = Place::new();
        let model = place.path("model");
        write_model(&model, 1);
        let mut torture = Self {
            place,
            sequence: Sequence(seed),
            model: Model::default(),
            made: 0,
            losses: Losses::default(),
        };
        let first = torture.documents(50);
        torture.place.write("first.jsonl", jsonl(&first));
        torture.index("c.ecp", "first.jsonl");
        for document in &first {
            torture.model.put(document);
        }
        torture
    }

    fn index(&self, collection: &str, corpus: &str) {
        let dense = format!("dense={}", self.place.path("model").display());
        let channels = ["--channel", "bm25", "--channel", &dense, "--field", "made:integer"];
        self.place.ok(&[&["index", collection, corpus, "--replace"], &channels[..]].concat());
    }

    /// Makes documents with different ids, most of them used before.
    fn documents(&mut self, count: usize) -> Vec<Value> {
        let mut documents: Vec<Value> = Vec::new();
        while documents.len() < count {
            let id = format!("d{}", self.sequence.below(IDS));
            if documents.iter().all(|other| other["_id"] != id.as_str()) {
                self.made += 1;
                let words = 20 + self.sequence.below(200);
                let text = sentence(&mut self.sequence, words);
                let title = sentence(&mut self.sequence, 3);
                documents.push(json!({"_id": id, "title": title, "text": text, "made": self.made}));
            }
        }
        documents
    }

    /// Starts some work, kills it, and checks what is left; returns whether it was killed at work.
    fn round(&mut self) -> bool {
        let work = match self.sequence.below(10) {
            0 => self.start(&["compact", "c.ecp"], vec![self.model.clone()], vec![0]),
            1 => self.start(&["compact", "c.ecp", "--purge"], vec![self.model.clone()], vec![0]),
            2 | 3 => self.start_delete(),
            _ => self.start_add(),
        };
        let moment = Duration::from_millis(self.sequence.below(PATIENCE_MS) as u64);
        let (killed, acknowledged) = self.kill(work.child, moment);
        let first = work.worth.iter().rposition(|&worth| worth <= acknowledged).unwrap();
        let last = if killed { work.states.len().min(first + 2) } else { first + 1 };
        self.settle(&work.states[first..last]);
        killed
    }

    fn start(&self, arguments: &[&str], states: Vec<Model>, worth: Vec<u64>) -> Work {
        let mut command = self.place.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Work { child, states, worth }
    }

    fn start_add(&mut self) -> Work {
        let count = 20 + self.sequence.below(200);
        let documents = self.documents(count);
        let batch = 1 + self.sequence.below(40);
        self.place.write("more.jsonl", jsonl(&documents));
        let (mut states, mut worth) = (vec![self.model.clone()], vec![0]);
        for part in documents.chunks(batch) {
            let mut next = states.last().unwrap().clone();
            for document in part {
                next.put(document);
            }
            states.push(next);
            worth.push(worth.last().unwrap() + part.len() as u64);
        }
        let durability = ["always", "interval", "os"][self.sequence.below(3)];
        let add = ["add", "c.ecp", "more.jsonl", "--json", "--upsert", "--durability", durability];
        let options = ["--memory", "16MiB", "--batch", &batch.to_string()];
        self.start(&[&add[..], &options[..]].concat(), states, worth)
    }

    fn start_delete(&mut self) -> Work {
        let mut next = self.model.clone();
        let ids: Vec<String> = (0..=self.sequence.below(40))
            .map(|_| format!("d{}", self.sequence.below(IDS)))
            .collect();
        for id in &ids {
            next.delete(id);
        }
        let mut arguments = vec!["delete", "c.ecp", "--json", "--id"];
        arguments.extend(ids.iter().map(String::as_str));
        // Its one object, however many documents it names, says that it is done.
        self.start(&arguments, vec![self.model.clone(), next], vec![0, 1])
    }

    /// Searches beside the work until the moment has come, and kills it. Returns whether it was still at
    /// work, and what it had acknowledged.
    fn kill(&self, mut child: Child, moment: Duration) -> (bool, u64) {
        let output = BufReader::new(child.stdout.take().unwrap());
        let reading = std::thread::spawn(move || {
            let mut acknowledged = 0;
            let mut object = String::new();
            for line in output.lines().map_while(Result::ok) {
                object.push_str(&line);
                let Ok(value) = serde_json::from_str::<Value>(&object) else { continue };
                object.clear();
                acknowledged = if value["deleted"].is_u64() {
                    1
                } else {
                    value["documents"].as_u64().unwrap()
                };
            }
            acknowledged
        });
        let search = ["search", "c.ecp", "radium moon", "-p", "hybrid", "-k", "5", "--json"];
        let beside = self.place.command(&search).stdout(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let killed = output.status.signal() == Some(9);
        assert!(killed || output.status.success(), "{output:?}");
        let found = beside.wait_with_output().unwrap();
        assert!(found.status.success(), "{found:?}");
        (killed, reading.join().unwrap())
    }

    /// Finds out which of the states that may be is there, and checks that it answers as it should.
    fn settle(&mut self, states: &[Model]) {
        self.place.ok(&["check", "c.ecp"]);
        let all = ["search", "c.ecp", "", "--sort", "made", "-k", "100000"];
        let stored = self.place.json(&all);
        let mut holds: BTreeMap<String, Value> = BTreeMap::new();
        for hit in stored["hits"].as_array().unwrap() {
            holds.insert(hit["id"].as_str().unwrap().to_owned(), hit["document"].clone());
        }
        let fits = |state: &&Model| {
            let expected = state.by_id();
            expected.len() == holds.len()
                && expected.iter().all(|(id, document)| same(document, holds.get(*id)))
        };
        if let Some(state) = states.iter().find(fits) {
            self.model = state.clone();
        } else {
            self.count_losses(&states[0], &holds);
            self.model = states[0].clone();
        }
        self.compare_answers();
    }

    fn count_losses(&mut self, acknowledged: &Model, holds: &BTreeMap<String, Value>) {
        let expected = acknowledged.by_id();
        self.losses.lost +=
            expected.iter().filter(|(id, document)| !same(document, holds.get(**id))).count();
        self.losses.resurrected +=
            holds.keys().filter(|id| !expected.contains_key(id.as_str())).count();
    }

    fn compare_answers(&mut self) {
        self.place.write("fresh.jsonl", jsonl(&self.model.documents));
        self.index("fresh.ecp", "fresh.jsonl");
        let query = sentence(&mut self.sequence, 3);
        let made = format!("made >= {}", self.made / 2);
        let pipeline = ["bm25", "dense", "hybrid"][self.sequence.below(3)];
        for options in [&["-p", pipeline][..], &["-p", pipeline, "--filter", &made]] {
            let answer = |collection| {
                let search = ["search", collection, &query, "-k", "1000"];
                self.place.json(&[&search[..], options].concat())["hits"].clone()
            };
            self.losses.different += usize::from(answer("c.ecp") != answer("fresh.ecp"));
        }
    }
}

/// Whether a stored document is the one that was written; the id stands beside it.
fn same(written: &Value, stored: Option<&Value>) -> bool {
    let Some(stored) = stored else { return false };
    ["title", "text", "made"].iter().all(|field| written[field] == stored[field])
}

fn jsonl(documents: &[Value]) -> String {
    let lines: Vec<String> = documents.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
