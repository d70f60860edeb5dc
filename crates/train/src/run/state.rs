//! What changes while a run goes on, and how it is written down.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::optimiser::{State as OptimiserState, Tensors};
use crate::run::RunError;
use crate::run::checkpoint::Checkpoint;
use crate::run::learner::Snapshot;
use crate::run::record::{Evaluation, Origin};
use crate::schedule::Progression;

/// All of a run that its job does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    /// How many steps are done.
    pub(super) step: u64,
    /// The sum of the losses since the last evaluation, and of how many steps it is.
    pub(super) losses: (f64, u64),
    pub(super) evaluations: Vec<Evaluation>,
    pub(super) progression: Progression,
    /// After which step the best parameters were as they are kept.
    pub(super) kept: u64,
    /// Whether the run is over.
    pub(super) over: bool,
}

/// What a checkpoint is made of and gives back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Saved {
    pub(super) state: State,
    /// The parameters that move, as they were when they did best; empty where nothing is held out.
    pub(super) best: Tensors,
    pub(super) learner: Snapshot,
}

const PARAMETER: &str = "parameter/";
const BEST: &str = "best/";
const OPTIMISER: &str = "optimiser/";
const OTHER: &str = "other/";
const LIST: &str = "list/";

impl Saved {
    /// Writes it down, with what the run is of.
    pub(super) fn checkpoint(self, origin: &Origin) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        let Snapshot { parameters, optimiser, others, lists } = self.learner;
        let named = [
            (PARAMETER, parameters),
            (BEST, self.best),
            (OPTIMISER, optimiser.tensors),
            (OTHER, others),
        ];
        for (prefix, values) in named {
            let values = values.into_iter().map(|(name, x)| (format!("{prefix}{name}"), x));
            checkpoint.tensors.extend(values);
        }
        for (prefix, numbers) in [(OPTIMISER, optimiser.counters), (LIST, lists)] {
            let numbers = numbers.into_iter().map(|(name, x)| (format!("{prefix}{name}"), x));
            checkpoint.counters.extend(numbers);
        }
        let State { step, losses, evaluations, progression, kept, over } = self.state;
        let Progression { best, stale } = progression;
        // Doubles as their bits, so that they come back as they were.
        let counts = vec![
            step,
            losses.0.to_bits(),
            losses.1,
            u64::from(best.is_some()),
            best.unwrap_or_default().to_bits(),
            stale.into(),
            kept,
            u64::from(over),
        ];
        checkpoint.counters.insert("state".into(), counts);
        let json = |value: serde_json::Result<String>| value.expect("plain numbers and texts");
        checkpoint.texts.insert("origin".into(), json(serde_json::to_string(origin)));
        let evaluations = json(serde_json::to_string(&evaluations));
        checkpoint.texts.insert("evaluations".into(), evaluations);
        checkpoint
    }

    /// Reads it back, unless it is of another run.
    pub(super) fn of(mut checkpoint: Checkpoint, origin: &Origin) -> Result<Self> {
        let damaged = |what: &str| Error::from(RunError::CheckpointLacks { what: what.to_owned() });
        let text = |name: &str| checkpoint.texts.get(name).ok_or_else(|| damaged(name));
        let found: Origin = serde_json::from_str(text("origin")?).map_err(|_| damaged("origin"))?;
        if let Some(what) = difference(&found, origin) {
            return Err(Error::from(RunError::OtherRun { what }));
        }
        let evaluations =
            serde_json::from_str(text("evaluations")?).map_err(|_| damaged("evaluations"))?;
        let counts = checkpoint.counters.remove("state").ok_or_else(|| damaged("state"))?;
        let &[step, sum, count, has_best, best, stale, kept, over] = &counts[..] else {
            return Err(damaged("state"));
        };
        let best = (has_best == 1).then(|| f64::from_bits(best));
        let stale = stale.try_into().map_err(|_| damaged("state"))?;
        let state = State {
            step,
            losses: (f64::from_bits(sum), count),
            evaluations,
            progression: Progression { best, stale },
            kept,
            over: over == 1,
        };
        let tensors = |prefix| taken(&mut checkpoint.tensors, prefix);
        let [parameters, best, moments, others] = [PARAMETER, BEST, OPTIMISER, OTHER].map(tensors);
        let [counters, lists] =
            [OPTIMISER, LIST].map(|prefix| taken(&mut checkpoint.counters, prefix));
        let optimiser = OptimiserState { tensors: moments, counters };
        let learner = Snapshot { parameters, optimiser, others, lists };
        Ok(Self { state, best, learner })
    }
}

/// Says what of two runs is not the same.
fn difference(found: &Origin, wanted: &Origin) -> Option<&'static str> {
    let Origin { version, recipe, seed, init, data } = wanted;
    [
        (found.version != *version, "version of the program"),
        (found.recipe != *recipe, "recipe"),
        (found.seed != *seed, "seed"),
        (found.init != *init, "model to begin from"),
        (found.data != *data, "data"),
    ]
    .into_iter()
    .find_map(|(differs, what)| differs.then_some(what))
}

/// Takes out what has a prefix, without it.
fn taken<T>(all: &mut BTreeMap<String, Vec<T>>, prefix: &str) -> BTreeMap<String, Vec<T>> {
    let names: Vec<String> = all.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
    let take = |name: String| Some((name[prefix.len()..].to_owned(), all.remove(&name)?));
    names.into_iter().filter_map(take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        let text = |text: &str| text.to_owned();
        Origin { version: text("1"), recipe: text("r"), seed: 7, init: text("i"), data: text("d") }
    }

    #[test]
    fn comes_back_as_it_was() {
        let state = State {
            step: 5,
            losses: (1.0 / 3.0, 2),
            evaluations: vec![Evaluation { dev: Some(0.1 + 0.2), ..Evaluation::default() }],
            progression: Progression { best: Some(-0.0), stale: 3 },
            kept: 4,
            over: true,
        };
        let mut saved = Saved { state, ..Saved::default() };
        saved.learner.parameters.insert("a".into(), vec![1.0]);
        saved.best.insert("a".into(), vec![2.0]);
        saved.learner.optimiser.tensors.insert("a#first".into(), vec![3.0]);
        saved.learner.optimiser.counters.insert("a#count".into(), vec![4]);
        saved.learner.others.insert("a".into(), vec![7.0]);
        saved.learner.lists.insert("dev".into(), vec![5, 6]);
        let checkpoint = saved.clone().checkpoint(&origin());
        assert_eq!(Saved::of(checkpoint, &origin()).unwrap(), saved);
    }

    #[test]
    fn another_run_is_refused() {
        let checkpoint = Saved::default().checkpoint(&origin());
        let other = Origin { seed: 8, ..origin() };
        let error = Saved::of(checkpoint.clone(), &other).unwrap_err().to_string();
        assert!(error.contains("another seed"), "{error}");
        let mut lacking = checkpoint;
        lacking.counters.remove("state");
        let error = Saved::of(lacking, &origin()).unwrap_err().to_string();
        assert!(error.contains("`state`"), "{error}");
    }
}
