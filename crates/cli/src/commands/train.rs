//! `ecphory train`: a model from a model and judged pairs.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use ecphory::eval::Dataset;
use ecphory::model::{CrossEncoder, LateEncoder, SparseEncoder};
use ecphory::read::Skipped;
use ecphory::train::{Evaluation, ForeignKind, ForeignSource, Method, Trained};
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

/// What to do with channels where nothing is searched.
const NO_SEARCH: &str =
    "--channel: this recipe learns from views of documents and searches with nothing";

/// What to do with a split where no label is read.
const NO_LABELS: &str = "--split: this recipe learns from views of documents and reads no labels";

/// The split that is trained on where none is named.
const SPLIT: &str = "train";

/// Trains a model.
#[allow(clippy::print_stdout, reason = "the recipe is the result")]
pub fn train(args: &Train, context: &Context) -> anyhow::Result<()> {
    let start = Instant::now();
    let method = method(args)?;
    if args.print_recipe {
        print!("{method}");
        return Ok(());
    }
    let (Some(data), Some(init), Some(out)) = (&args.data, &args.init, &args.out) else {
        return Err(Failure::Usage("--data, --init and --out are needed").into());
    };
    let ended = match method {
        Method::Pairs(recipe) => {
            let dataset = labelled(args, data, context)?;
            let makes_vectors = !CrossEncoder::opens(&context.engine.models().resolve(init)?)?;
            let foreign = recipe.foreign_sources(makes_vectors)?;
            let reader = reader(args, (&foreign, makes_vectors), init, &dataset, context)?;
            let request = request(args, (init, out), recipe, reader);
            context.engine.train(&dataset, &request, context.progress())
        }
        Method::Rounds(recipe) => {
            let dataset = labelled(args, data, context)?;
            let reader = reader(args, (&recipe.foreign_sources(), true), init, &dataset, context)?;
            let request = request(args, (init, out), recipe, reader);
            context.engine.train_in_rounds(&dataset, &request, context.progress())
        }
        Method::Views(recipe) => {
            if !args.channels.is_empty() {
                return Err(Failure::Usage(NO_SEARCH).into());
            }
            if args.split.is_some() {
                return Err(Failure::Usage(NO_LABELS).into());
            }
            let request = request(args, (init, out), recipe, None);
            let corpus = context.corpus(data)?;
            context.engine.train_from_views(&corpus, &request, context.progress())
        }
    };
    match ended {
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

fn labelled(args: &Train, data: &str, context: &Context) -> anyhow::Result<Dataset> {
    context.dataset_split(data, Some(args.split.as_deref().unwrap_or(SPLIT)))
}

fn request<R>(
    args: &Train,
    (init, out): (&str, &Path),
    recipe: R,
    reader: Option<Reader>,
) -> TrainingRequest<R> {
    TrainingRequest {
        recipe,
        init: init.to_owned(),
        out: out.to_owned(),
        seed: args.seed,
        resume: args.resume,
        reader,
        skip_bad: args.skip_bad,
    }
}

/// The documents of the data set with the channels that the recipe may name; `None` where it names only what a run has by itself.
fn reader(
    args: &Train,
    (named, makes_vectors): (&[ForeignSource], bool),
    init: &str,
    dataset: &Dataset,
    context: &Context,
) -> anyhow::Result<Option<Reader>> {
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
fn method(args: &Train) -> anyhow::Result<Method> {
    let path = Path::new(&args.recipe);
    let is_name = Method::names().any(|name| name == args.recipe);
    let recipe = if !is_name && path.is_file() {
        Method::parse(&args.recipe, &fs::read_to_string(path)?)?
    } else {
        Method::named(&args.recipe)?
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
    let seen = if trained.documents > 0 {
        format!("views of {} documents", trained.documents)
    } else {
        format!("{} pairs, {} queries held out", trained.pairs, trained.held_out)
    };
    let mut text = format!("{seen}, {} steps in {seconds:.0} s\n", trained.steps);
    if trained.short_of_negatives > 0 {
        writeln!(
            text,
            "{} pairs found fewer negatives than asked for",
            trained.short_of_negatives
        )?;
    }
    let judged = if trained.documents > 0 { "views told apart" } else { "dev nDCG@10" };
    let mut table = Table::new(&["step", "loss", judged, ""]);
    let shown = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x:.4}"));
    for &Evaluation { step, loss, dev, told_apart } in &trained.evaluations {
        let kept = if step == trained.kept { "kept" } else { "" };
        table.row([step.to_string(), shown(loss), shown(dev.or(told_apart)), kept.to_owned()]);
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
