//! Who takes part: our encoder in two precisions, and the peers that can be had on this machine.

use std::rc::Rc;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::graphs::Graphs;
use super::models::Model;
use super::sets::Set;
use crate::cache::Python;
use crate::process::Process;

/// The precision of a side's arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    Single,
    Int8,
}

/// What a side runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// This binary, as our own side.
    Ours,
    /// This binary, if it was built with the feature of that name.
    Candle,
    /// A script of `peers/`, in the environment of that name.
    Python { environment: &'static str, script: &'static str },
}

struct Known {
    /// As `--peer` names it.
    name: &'static str,
    precision: Precision,
    home: Home,
}

const SCRIPT: Home = Home::Python { environment: "encode", script: "encode_side.py" };
const KNOWN: [Known; 7] = [
    Known { name: "ours-encode", precision: Precision::Single, home: Home::Ours },
    Known { name: "ours-encode-int8", precision: Precision::Int8, home: Home::Ours },
    Known { name: "onnxruntime", precision: Precision::Single, home: SCRIPT },
    Known { name: "onnxruntime-int8", precision: Precision::Int8, home: SCRIPT },
    Known { name: "sentence-transformers", precision: Precision::Single, home: SCRIPT },
    Known { name: "candle", precision: Precision::Single, home: Home::Candle },
    Known {
        name: "fastembed",
        precision: Precision::Single,
        home: Home::Python { environment: "fastembed", script: "fastembed_side.py" },
    },
];

/// A side that can be started.
#[derive(Clone)]
pub struct Side {
    known: &'static Known,
    version: String,
    python: Option<Rc<Python>>,
}

/// Finds out which sides can be had: ours, and of the peers those that were named, or all. One that cannot be
/// had is left out with a word.
pub fn find(names: &[String]) -> Result<Vec<Side>> {
    let peers: Vec<&str> =
        KNOWN.iter().filter(|known| known.home != Home::Ours).map(|known| known.name).collect();
    for name in names {
        ensure!(
            peers.contains(&name.as_str()),
            "there is no peer {name}: there are {}",
            peers.join(", ")
        );
    }
    let mut environments: Vec<(&str, Option<Rc<Python>>)> = Vec::new();
    let mut sides = Vec::new();
    for known in &KNOWN {
        let is_wanted = names.is_empty() || names.iter().any(|name| name == known.name);
        if known.home != Home::Ours && !is_wanted {
            continue;
        }
        let mut python = None;
        if let Home::Python { environment, .. } = known.home {
            let made = environments.iter().find(|(name, _)| *name == environment).cloned();
            let (_, found) = made.unwrap_or_else(|| {
                let made = or_left_out(environment, Python::with(environment)).map(Rc::new);
                environments.push((environment, made.clone()));
                (environment, made)
            });
            if found.is_none() {
                continue;
            }
            python = found;
        }
        let mut side = Side { known, version: String::new(), python };
        let version = side.spawn(1).and_then(|mut process| process.ask("ready", json!({})));
        if let Some(answer) = or_left_out(known.name, version) {
            answer["version"].as_str().unwrap_or("?").clone_into(&mut side.version);
            sides.push(side);
        }
    }
    Ok(sides)
}

/// The value, or nothing and a line that says why a side does not take part.
pub fn or_left_out<T>(name: &str, result: Result<T>) -> Option<T> {
    result.map_err(|error| eprintln!("{name} is left out: {error:#}")).ok()
}

impl Side {
    /// The name that `--peer` takes.
    pub fn name(&self) -> &'static str {
        self.known.name
    }

    pub fn precision(&self) -> Precision {
        self.known.precision
    }

    pub fn is_ours(&self) -> bool {
        self.known.home == Home::Ours
    }

    /// Whether it needs the folder of graphs.
    pub fn runs_graphs(&self) -> bool {
        self.python.is_some()
    }

    /// The name for the record.
    pub fn shown(&self) -> String {
        let version = &self.version;
        match (self.known.home, self.known.precision) {
            (Home::Ours, Precision::Single) => "ours in fp32".to_owned(),
            (Home::Ours, Precision::Int8) => "ours in int8".to_owned(),
            (_, Precision::Int8) => {
                format!("{} {version} int8", self.known.name.trim_end_matches("-int8"))
            }
            _ => format!("{} {version}", self.known.name),
        }
    }

    /// Why it cannot run a model; nothing where it can.
    fn refusal(&self, model: &Model, graphs: Option<&Graphs>) -> Option<String> {
        if self.known.home == Home::Candle && model.architecture != "bert" {
            return Some(format!("candle-transformers has no {}", model.architecture));
        }
        if self.runs_graphs() && graphs.is_none_or(|graphs| graphs.of(self.precision()).is_none()) {
            return Some("there is no graph".to_owned());
        }
        None
    }

    fn spawn(&self, threads: usize) -> Result<Process> {
        match (&self.python, self.known.home) {
            (Some(python), Home::Python { script, .. }) => {
                Process::python(python, script, self.known.name, threads)
            }
            _ => Process::own(self.known.name, threads),
        }
    }
}

/// What is held fixed while sides take turns: a model, its texts and graphs, and the sides that can run it.
pub struct Setting<'a> {
    pub model: &'a Model,
    pub sets: &'a [Set],
    pub sides: Vec<Side>,
    pub graphs: Option<Graphs>,
    pub runs: usize,
}

impl<'a> Setting<'a> {
    /// Keeps the sides that can run the model.
    pub fn new(
        model: &'a Model,
        sets: &'a [Set],
        sides: &[Side],
        graphs: Option<Graphs>,
        runs: usize,
    ) -> Self {
        let mut able = Vec::new();
        for side in sides {
            match side.refusal(model, graphs.as_ref()) {
                Some(why) => eprintln!("{}: {} is left out: {why}", model.plan.name, side.name()),
                None => able.push(side.clone()),
            }
        }
        Self { model, sets, sides: able, graphs, runs }
    }

    /// Starts a side, which has everything imported that it needs to open a model.
    pub fn start(&self, side: usize, threads: usize) -> Result<Process> {
        let mut process = self.sides[side].spawn(threads)?;
        process.ask("ready", json!({}))?;
        for set in self.sets {
            process.ask("load", set.request())?;
        }
        Ok(process)
    }

    /// Starts a side and lets it open the model.
    pub fn start_open(&self, side: usize, threads: usize) -> Result<Process> {
        let mut process = self.start(side, threads)?;
        process.ask("open", self.opening(side))?;
        Ok(process)
    }

    /// The request that opens the model.
    pub fn opening(&self, side: usize) -> Value {
        let side = &self.sides[side];
        let (mut folder, mut graph) = (self.model.directory.clone(), None);
        if let (Some(graphs), true) = (&self.graphs, side.python.is_some()) {
            folder.clone_from(&graphs.folder);
            graph = graphs.of(side.precision()).map(|graph| graph.path.clone());
        }
        json!({
            "model": folder,
            "graph": graph,
            "max_tokens": self.model.max_tokens,
            "pad": self.model.pad,
            "batch": super::BATCH,
        })
    }

    /// What else is to be known about a side.
    pub fn about(&self, side: &Side) -> String {
        let graph = self.graphs.as_ref().and_then(|graphs| graphs.of(side.precision()));
        match (side.name(), graph) {
            ("onnxruntime" | "onnxruntime-int8" | "fastembed", Some(graph)) => {
                format!("graph `{}`", graph.name)
            }
            _ => String::new(),
        }
    }

    /// Which of our sides is compared with which other: fp32 with every peer in fp32, int8 with onnxruntime in both
    /// precisions and with ourselves in fp32.
    pub fn pairs(&self) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        for (ours, side) in self.sides.iter().enumerate().filter(|(_, side)| side.is_ours()) {
            for (theirs, peer) in self.sides.iter().enumerate() {
                let is_meant = match side.precision() {
                    Precision::Single => !peer.is_ours() && peer.precision() == Precision::Single,
                    Precision::Int8 => {
                        let is_ours = peer.is_ours() && peer.precision() == Precision::Single;
                        is_ours || peer.name().starts_with("onnxruntime")
                    }
                };
                if is_meant {
                    pairs.push((ours, theirs));
                }
            }
        }
        pairs
    }

    /// The beginning of a metric's name: the model, and the precision of our side where it is not single.
    pub fn title(&self, ours: usize) -> String {
        let precision = match self.sides[ours].precision() {
            Precision::Single => "",
            Precision::Int8 => " int8",
        };
        format!("{}{precision}", self.model.plan.name)
    }
}
