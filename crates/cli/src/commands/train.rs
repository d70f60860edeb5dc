//! `ecphory train`: a model from a model and judged pairs.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use ecphory::eval::Dataset;
use ecphory::model::{CrossEncoder, LateEncoder, SparseEncoder};
use ecphory::read::Skipped;
use ecphory::train::{Evaluation, ForeignKind, Recipe, Trained};
use ecphory::{ErrorKind, Reader, TrainingRequest};
use fs_err as fs;
use serde_json::json;

use crate::args::Train;
use crate::commands::index::{self, write_skipped};
use crate::context::{Context, print_json};
use crate::failure::Failure;
use crate::prepared::collection_of;
use crate::table::Table;

/// What to do with a model that is no search.
const NO_VECTORS: &str = "a cross-encoder makes no vectors for the recipe to search with\nhint: name a model that does, as in --channel bm25 --channel dense=minilm";

/// What to do with channels that nothing names.
const NO_USE: &str = "--channel: this recipe searches with nothing but the model to start from\nhint: it names a channel in negatives.from or teachers";

/// Trains a model.
#[allow(clippy::print_stdout, reason = "the recipe is the result")]
pub fn train(args: &Train, context: &Context) -> anyhow::Result<()> {
    let start = Instant::now();
    let recipe = recipe(args)?;
    if args.print_recipe {
        print!("{recipe}");
        return Ok(());
    }
    let (Some(data), Some(init), Some(out)) = (&args.data, &args.init, &args.out) else {
        return Err(Failure::Usage("--data, --init and --out are needed").into());
    };
    let dataset = context.dataset_split(data, Some(&args.split))?;
    let request = TrainingRequest {
        reader: reader(args, (&recipe, init), &dataset, context)?,
        recipe,
        init: init.clone(),
        out: out.clone(),
        seed: args.seed,
        resume: args.resume,
        skip_bad: args.skip_bad,
    };
    match context.engine.train(&dataset, &request, context.progress()) {
        Ok((trained, skipped)) => {
            report(out, &trained, &skipped, start.elapsed().as_secs_f64(), context)?;
            context.notice(&usage(out)?);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            Err(Failure::Interrupted(kept(out)).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The documents of the data set with the channels that the recipe may name; `None` where it names only what a run has by itself.
fn reader(
    args: &Train,
    (recipe, init): (&Recipe, &str),
    dataset: &Dataset,
    context: &Context,
) -> anyhow::Result<Option<Reader>> {
    let directory = context.engine.models().resolve(init)?;
    let makes_vectors = !CrossEncoder::opens(&directory)?;
    let named = recipe.foreign_sources(makes_vectors)?;
    let mut rankers = named.iter().filter(|source| source.kind == ForeignKind::Ranker).peekable();
    if rankers.peek().is_none() {
        return if args.channels.is_empty() {
            Ok(None)
        } else {
            Err(Failure::Usage(NO_USE).into())
        };
    }
    let mut channels = args.channels.clone();
    if channels.is_empty() {
        channels.push("bm25".to_owned());
        // Pipelines such as `hybrid` fuse with the model to begin from.
        if rankers.any(|source| source.name != "bm25") {
            if !makes_vectors {
                return Err(Failure::Usage(NO_VECTORS).into());
            }
            channels.push(format!("dense={init}"));
        }
    }
    let requests = index::channels(&channels, &[])?;
    Ok(Some(collection_of(dataset, &requests, context)?.snapshot()?))
}

/// Says where the model goes.
fn usage(model: &Path) -> anyhow::Result<String> {
    let out = model.display();
    let step = if CrossEncoder::opens(model)? {
        "cross"
    } else if SparseEncoder::opens(model)? {
        return Ok(format!("{out} is a model: --channel sparse={out}"));
    } else if LateEncoder::opens(model)? {
        "maxsim"
    } else {
        return Ok(format!("{out} is a model: --channel dense={out}"));
    };
    Ok(format!("{out} is a reranker: --pipeline 'hybrid % 100 >> {step}(\"{out}\")'"))
}

/// Says what an interruption left.
fn kept(out: &Path) -> String {
    let work = format!("{}.training", out.display());
    if Path::new(&work).exists() {
        return format!("the work is in {work}\nhint: the same command with --resume goes on");
    }
    "nothing was trained yet, and nothing is kept".to_owned()
}

/// A recipe by name or from a file, with what `--set` changes.
fn recipe(args: &Train) -> anyhow::Result<Recipe> {
    let path = Path::new(&args.recipe);
    let is_name = Recipe::names().any(|name| name == args.recipe);
    let recipe = if !is_name && path.is_file() {
        Recipe::parse(&args.recipe, &fs::read_to_string(path)?)?
    } else {
        Recipe::named(&args.recipe)?
    };
    Ok(recipe.with(args.set.iter().map(String::as_str))?)
}

#[allow(clippy::print_stdout, reason = "the report is the result")]
fn report(
    out: &Path,
    trained: &Trained,
    skipped: &[Skipped],
    seconds: f64,
    context: &Context,
) -> anyhow::Result<()> {
    if context.common.json {
        let left_out: Vec<_> = skipped
            .iter()
            .map(|left_out| json!({"place": left_out.place, "reason": left_out.reason}))
            .collect();
        return print_json(&json!({
            "output": out.display().to_string(),
            "training": serde_json::to_value(trained)?,
            "skipped": left_out,
            "seconds": seconds,
        }));
    }
    let mut text = format!(
        "{} pairs, {} queries held out, {} steps in {seconds:.0} s\n",
        trained.pairs, trained.held_out, trained.steps
    );
    if trained.short_of_negatives > 0 {
        writeln!(
            text,
            "{} pairs found fewer negatives than asked for",
            trained.short_of_negatives
        )?;
    }
    let mut table = Table::new(&["step", "loss", "dev nDCG@10", ""]);
    let shown = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x:.4}"));
    for &Evaluation { step, loss, dev } in &trained.evaluations {
        let kept = if step == trained.kept { "kept" } else { "" };
        table.row([step.to_string(), shown(loss), shown(dev), kept.to_owned()]);
    }
    write!(text, "\n{table}")?;
    if trained.kept == 0 && trained.held_out > 0 {
        writeln!(
            text,
            "\nno step did better on the held-out queries than the model had done before"
        )?;
    }
    let mut listed = Vec::new();
    write_skipped(&mut listed, skipped)?;
    print!("{text}{}", String::from_utf8_lossy(&listed));
    Ok(())
}
