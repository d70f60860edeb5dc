//! The arguments of `train`.

use std::path::PathBuf;

use clap::Args;

/// Train a retriever on judged pairs, from a model that there is.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ecphory train dense --data scifact --init minilm --out models/scifact\n  ecphory train dense --print-recipe\n  ecphory compare --data scifact --channel before:dense=minilm --channel after:dense=models/scifact --pipeline before --pipeline after\n\nThe output is a model directory: `--channel dense=models/scifact` indexes with it, `ecphory models show models/scifact` says what it is, and sentence-transformers opens it. training.json in it says from what, with which recipe and seed it was made.\n\nUntil it is whole, the work is in OUT.training; --resume goes on after an interruption, to the same bits."
)]
pub struct Train {
    /// A recipe: dense, sparse, late, cross, tas-b, inference-free, cet, jacolbert25, ar2, contriever (without labels), or a file in TOML.
    pub recipe: String,
    /// The data set, by name or as a directory in the layout of BEIR.
    #[arg(long, value_name = "NAME", required_unless_present = "print_recipe")]
    pub data: Option<String>,
    /// The judgments to train on [default: train]; contriever reads none.
    #[arg(long, value_name = "SPLIT")]
    pub split: Option<String>,
    /// The model to start from: a name from `ecphory models list`, or a directory.
    #[arg(long, value_name = "MODEL", required_unless_present = "print_recipe")]
    pub init: Option<String>,
    /// The directory of the trained model; it must not exist.
    #[arg(long, value_name = "DIR", required_unless_present = "print_recipe")]
    pub out: Option<PathBuf>,
    /// A channel that the recipe may search and learn from by its name, such as small:dense=minilm; may be repeated [default: bm25,
    /// and dense with the model to start from].
    #[arg(long = "channel", value_name = "CHANNEL")]
    pub channels: Vec<String>,
    /// The seed of everything random.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Change a setting of the recipe, as in optimiser.learning_rate=1e-5; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print the recipe, changed by --set, and do nothing else.
    #[arg(long)]
    pub print_recipe: bool,
    /// Go on with a training that was interrupted; begin where there is none.
    #[arg(long)]
    pub resume: bool,
    /// Leave out malformed documents and those without text, and list them.
    #[arg(long)]
    pub skip_bad: bool,
}
