//! The arguments of the command, as clap reads them. What they mean stands in [`crate::commands`].

#![allow(
    clippy::doc_markdown,
    reason = "the comments are the help text, where backticks would be shown"
)]

mod encode;
mod mine;
mod repro;
mod resample;
mod train;
mod upkeep;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ecphory::Precision;

pub use encode::{Encode, RoleName, ValueName};
pub use mine::Mine;
pub use repro::Repro;
pub use resample::{Audit, ProtocolName, Split};
pub use train::Train;
pub use upkeep::{Add, Backup, Check, Compact, Delete, DurabilityLevel, Migrate, Restore};

use crate::bytes::ByteCount;

/// Encode, store, recall: a neural retrieval engine.
#[derive(Debug, Parser)]
#[command(
    name = "ecphory",
    version,
    arg_required_else_help = true,
    after_help = "Example:\n  ecphory quickstart\n\nExit codes: 0 success, 2 usage, 3 bad input, 4 not found, 5 conflict, 6 corrupt, 7 input/output, 8 limit (full disk), 70 a bug of ours, 130 interrupted."
)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Print JSON for machines instead of text for people.
    #[arg(long, global = true)]
    pub json: bool,
    /// Show no progress and no notices.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Use this many threads [default: one for each core].
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Never use the network or a package client.
    #[arg(long, global = true)]
    pub offline: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Quickstart(Quickstart),
    Index(Index),
    Add(Add),
    Delete(Delete),
    Search(Search),
    Run(Run),
    Eval(Eval),
    Compare(Compare),
    Fuse(Fuse),
    Encode(Encode),
    Train(Train),
    Mine(Mine),
    Repro(Repro),
    Split(Split),
    /// List, pull, show and convert models.
    #[command(subcommand, after_help = "Example:\n  ecphory models pull minilm")]
    Models(Models),
    /// List, show and audit the judged data sets found through ECPHORY_DATA.
    #[command(subcommand, after_help = "Example:\n  ecphory data show scifact")]
    Data(Data),
    Inspect(Inspect),
    Check(Check),
    Compact(Compact),
    Backup(Backup),
    Restore(Restore),
    Migrate(Migrate),
}

/// Index a real collection, ask it, and judge BM25, dense and hybrid retrieval.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ecphory quickstart ~/notes")]
pub struct Quickstart {
    /// A folder of text, a JSONL or TSV file, or a data set in BEIR layout [default: scifact from
    /// ECPHORY_DATA, else the documentation of the crates this program was built from].
    pub corpus: Option<PathBuf>,
    /// Keep the collection here [default: in the cache].
    #[arg(long, value_name = "COLLECTION")]
    pub collection: Option<PathBuf>,
    /// The encoder of the dense channel: a name from `ecphory models list`, or a directory.
    #[arg(long, default_value = "minilm")]
    pub model: String,
}

/// Make a collection from documents.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  ecphory index wiki.ecp corpus.jsonl --channel bm25 --channel dense=minilm\n\nCORPUS is JSONL in BEIR layout (`_id`, `title`, `text`, other keys become fields), TSV, either of them with .gz, or a folder of text, Markdown and HTML.\n\nCHANNEL is `bm25`, `bm25(k1=1.2, b=0.75, analyzer=german)`, `dense=MODEL`, `dense=MODEL(max_tokens=128, passages=sentences(words=120, overlap=30))`, `dense=MODEL(precision=int8)`, `sparse=MODEL(max_tokens=256)`; `NAME:` before it gives it another name, `fields=title+text` other fields."
)]
pub struct Index {
    /// The collection to make: a directory that does not exist yet.
    pub collection: PathBuf,
    /// The documents. Left out with --resume.
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub corpus: Option<PathBuf>,
    /// A channel; may be repeated [default: bm25].
    #[arg(long = "channel", value_name = "CHANNEL", conflicts_with = "resume")]
    pub channels: Vec<String>,
    /// A field with the kind of its values, as year:integer (text, keyword, integer, float, date, bool, geo); may be
    /// repeated. Other fields take what comes.
    #[arg(long = "field", value_name = "NAME:KIND", conflicts_with = "resume")]
    pub fields: Vec<String>,
    /// Leave out malformed, duplicate and empty documents, and list them.
    #[arg(long, conflicts_with = "resume")]
    pub skip_bad: bool,
    /// Replace the collection where there is one.
    #[arg(long, conflicts_with = "resume")]
    pub replace: bool,
    /// How much memory the documents may take on their way into the collection, as 256MiB or 2GB; smaller makes
    /// more segments.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", conflicts_with = "resume", value_parser = memory)]
    pub memory: ByteCount,
    /// Go on filling the dense and sparse channels of a collection whose indexing was interrupted.
    #[arg(long)]
    pub resume: bool,
}

/// Answer one query.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  ecphory search wiki.ecp \"who discovered radium\" -k 5 --pipeline 'rrf(bm25, dense)' --explain"
)]
pub struct Search {
    /// The collection.
    pub collection: PathBuf,
    /// The query.
    pub query: String,
    /// How to retrieve: a channel, `hybrid`, or an expression.
    #[arg(long, short, default_value = "hybrid", value_name = "EXPR")]
    pub pipeline: String,
    /// How many hits.
    #[arg(short, default_value_t = 10, value_parser = depth)]
    pub k: usize,
    /// Keep to the documents for which this holds, as `year >= 2020 and lang = "de"`.
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// Count the values of a field over the documents that --filter lets through (all without it); may be repeated.
    #[arg(long = "facet", value_name = "FIELD")]
    pub facets: Vec<String>,
    /// Show the hits in the order of a field, as year or year:desc. Where the query is empty, these are not the
    /// best of a search but the first of all documents that --filter lets through.
    #[arg(long, value_name = "FIELD[:desc]")]
    pub sort: Option<String>,
    /// Show how each score came about, and the time of each stage.
    #[arg(long)]
    pub explain: bool,
}

/// Answer a file of queries, into a TREC run.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  ecphory run wiki.ecp queries.jsonl --pipeline hybrid -k 1000 -o hybrid.trec"
)]
pub struct Run {
    /// The collection.
    pub collection: PathBuf,
    /// The queries: JSONL in BEIR layout, or TSV (id, text).
    pub queries: PathBuf,
    /// How to retrieve: a channel, `hybrid`, or an expression.
    #[arg(long, short, default_value = "hybrid", value_name = "EXPR")]
    pub pipeline: String,
    /// How many hits for each query.
    #[arg(short, default_value_t = 1000, value_parser = depth)]
    pub k: usize,
    /// The run file [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The tag in the run's last column [default: the pipeline without spaces].
    #[arg(long)]
    pub tag: Option<String>,
}

/// Judge runs.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  ecphory eval qrels.tsv bm25.trec hybrid.trec -m nDCG@10 -m R@100 --baseline bm25.trec"
)]
pub struct Eval {
    /// The judgments: BEIR TSV, or TREC.
    pub qrels: PathBuf,
    /// The runs, in TREC's six columns.
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// How to judge.
    #[command(flatten)]
    pub judging: Judging,
    /// Test each run against this one; the text output then shows that comparison.
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<PathBuf>,
    /// Give the values of each query too.
    #[arg(long)]
    pub per_query: bool,
    /// Give the best and the worst value that another order of tied documents could have.
    #[arg(long)]
    pub ties: bool,
    /// Average over the queries that the run answers, instead of all judged ones.
    #[arg(long)]
    pub retrieved_only: bool,
}

/// What to measure.
#[derive(Args, Clone, Debug)]
pub struct Judging {
    /// A metric as ir_measures spells it; may be repeated.
    #[arg(long = "metric", short, value_name = "METRIC", default_values_t = ["nDCG@10".to_owned(), "R@100".to_owned()])]
    pub metrics: Vec<String>,
}

/// Compare runs, or pipelines over data sets, with significance and a report.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ecphory compare qrels.tsv bm25.trec hybrid.trec -m nDCG@10 --html report.html\n  ecphory compare --data scifact --pipeline bm25 --pipeline dense --pipeline hybrid -m nDCG@10"
)]
pub struct Compare {
    /// The judgments, then the runs; the first run is the baseline unless --baseline says otherwise.
    #[arg(value_name = "QRELS RUN", required_unless_present = "data", conflicts_with = "data", num_args = 2..)]
    pub files: Vec<PathBuf>,
    /// Data sets (NAME or a directory, separated by commas) that are indexed, searched and judged.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub data: Vec<String>,
    /// A pipeline to run on the data sets; may be repeated; the first is the baseline.
    #[arg(long = "pipeline", short, value_name = "EXPR", requires = "data")]
    pub pipelines: Vec<String>,
    /// A channel of the collections made from the data sets [default: bm25 and dense=minilm].
    #[arg(long = "channel", value_name = "CHANNEL", requires = "data")]
    pub channels: Vec<String>,
    /// How to judge.
    #[command(flatten)]
    pub judging: Judging,
    /// The run or pipeline that the others are tested against [default: the first].
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<String>,
    /// How many hits for each query.
    #[arg(short, default_value_t = 1000, value_parser = depth, requires = "data")]
    pub k: usize,
    /// Write the report as one HTML file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the table as Markdown.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// The seed of the randomisation test and the bootstrap.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}

/// Fuse run files into one.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  ecphory fuse bm25.trec dense.trec --method rrf --rrf-k 60 -k 1000 -o fused.trec"
)]
pub struct Fuse {
    /// The runs.
    #[arg(required = true, num_args = 2..)]
    pub runs: Vec<PathBuf>,
    /// How to fuse: by reciprocal ranks, or by a convex combination of min-max-normalised scores.
    #[arg(long, value_enum, default_value_t = FuseMethod::Rrf)]
    pub method: FuseMethod,
    /// The constant of reciprocal rank fusion.
    #[arg(long, default_value_t = 60.0)]
    pub rrf_k: f64,
    /// The weights of the runs, separated by commas [default: equal].
    #[arg(long, value_delimiter = ',')]
    pub weights: Vec<f64>,
    /// How many hits for each query.
    #[arg(short, default_value_t = 1000, value_parser = depth)]
    pub k: usize,
    /// The fused run [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The tag in the run's last column.
    #[arg(long, default_value = "fused")]
    pub tag: String,
}

/// The ways to fuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FuseMethod {
    /// Reciprocal rank fusion.
    Rrf,
    /// Convex combination.
    Cc,
}

/// The commands on models.
#[derive(Debug, Subcommand)]
pub enum Models {
    /// List the catalogue, and what is there already.
    #[command(after_help = "Example:\n  ecphory models list")]
    List,
    /// Fetch a model of the catalogue, once and for all.
    #[command(after_help = "Example:\n  ecphory models pull minilm")]
    Pull {
        /// A name from the catalogue.
        name: String,
    },
    /// Show what is known of a model.
    #[command(after_help = "Example:\n  ecphory models show minilm")]
    Show {
        /// A name from the catalogue, or a directory.
        name: String,
    },
    /// Store the weights of a model in another type, as a directory of its own.
    #[command(
        after_help = "Example:\n  ecphory models convert minilm ./minilm-f16 --precision f16\n\nOUT is a model like MODEL, for ecphory and for sentence-transformers. int8 is no type of files: `ecphory encode --precision int8` and the channel `dense=MODEL(precision=int8)` make it when they open a model."
    )]
    Convert {
        /// A name from the catalogue, or a directory.
        model: String,
        /// The directory to make, which does not exist yet.
        out: PathBuf,
        /// The type of the weights: f16, bf16 or f32.
        #[arg(long, value_name = "PRECISION")]
        precision: Precision,
    },
    /// Average the weights of models that were trained from the same one.
    #[command(
        after_help = "Example:\n  ecphory models average models/first models/further --out models/mean\n  ecphory models average a b --weights 0.7,0.3 --out c\n\nThe mean of models that did not begin from the same weights, or went far apart, is worth nothing."
    )]
    Average {
        /// The models: two or more, of one architecture and tokenizer.
        #[arg(required = true, num_args = 2..)]
        models: Vec<String>,
        /// How much each counts [default: all alike]
        #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
        weights: Vec<f64>,
        /// The directory to make, which does not exist yet.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// The commands on data sets.
#[derive(Debug, Subcommand)]
pub enum Data {
    /// List the data sets in the directories of ECPHORY_DATA.
    #[command(after_help = "Example:\n  ECPHORY_DATA=~/beir ecphory data list")]
    List,
    /// Count a data set's documents, queries and judgments.
    #[command(after_help = "Example:\n  ecphory data show scifact/test")]
    Show {
        /// NAME or NAME/SPLIT, or a directory.
        name: String,
    },
    Audit(Audit),
}

/// Show what a collection holds.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ecphory inspect wiki.ecp")]
pub struct Inspect {
    /// The collection.
    pub collection: PathBuf,
    /// Show the document with this id too.
    #[arg(long, value_name = "ID")]
    pub document: Option<String>,
}

/// The least that `--memory` may be: with less, segments would be so small that merging takes all the time.
const MEMORY_MIN: ByteCount = ByteCount(16 << 20);

fn memory(text: &str) -> Result<ByteCount, String> {
    let memory: ByteCount = text.parse()?;
    if memory < MEMORY_MIN {
        return Err(format!("must be at least {MEMORY_MIN}"));
    }
    Ok(memory)
}

fn depth(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(depth) => Ok(depth),
        Err(_) => Err(format!("`{text}` is not a whole number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands() {
                let path = format!("{path} {}", sub.get_name());
                let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("ecphory "), "{path} has no example");
                check(sub, &path);
            }
        }
        check(&Arguments::command(), "ecphory");
    }
}
