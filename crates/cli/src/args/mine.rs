//! The arguments of `mine`.

use std::path::PathBuf;

use clap::Args;

use super::depth;

/// Mine hard negatives for judged pairs with any pipeline.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ecphory mine --data scifact --pipeline bm25 --channel bm25 -o mined.jsonl\n  ecphory mine --data scifact --pipeline hybrid --depth 100 --skip 5 --teacher minilm --ratio 0.95 --audit 20 -o mined.jsonl\n\nA negative is never a document that answers the query, nor one with the text of an answer, of the query, or of another candidate. What a teacher scores nearly as high as the answer is often an answer that nobody judged: --teacher leaves it out, and --audit lists the likeliest.\n\nThe output has one line for each judged pair, {\"query\", \"positive\", \"negatives\": [{\"document\", \"score\"}, ...]}, or tabs where FILE does not end in .jsonl. The same seed gives the same file, on any number of threads."
)]
pub struct Mine {
    /// The data set, by name or as a directory in the layout of BEIR.
    #[arg(long, value_name = "NAME")]
    pub data: String,
    /// The judgments to mine for.
    #[arg(long, value_name = "SPLIT", default_value = "train")]
    pub split: String,
    /// How to rank candidates: a channel, `hybrid`, or an expression.
    #[arg(long, short, default_value = "hybrid", value_name = "EXPR")]
    pub pipeline: String,
    /// A channel of the collection made from the data set; may be repeated [default: bm25 and dense=minilm].
    #[arg(long = "channel", value_name = "CHANNEL")]
    pub channels: Vec<String>,
    /// How many ranks are candidates.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = depth)]
    pub depth: usize,
    /// How many of the first ranks are no candidates.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub skip: usize,
    /// How many negatives to draw for each pair.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = depth)]
    pub keep: usize,
    /// A channel of the collection, or a model, whose scores say what is too near an answer.
    #[arg(long, value_name = "CHANNEL|MODEL")]
    pub teacher: Option<String>,
    /// Leave out what the teacher scores above this share of the answer's score [default: 0.95].
    #[arg(long, value_name = "SHARE", requires = "teacher", conflicts_with = "margin")]
    pub ratio: Option<f32>,
    /// Leave out what the teacher scores above the answer's score less this.
    #[arg(long, value_name = "SCORE", requires = "teacher")]
    pub margin: Option<f32>,
    /// List this many of the likeliest answers that the teacher left out, for review.
    #[arg(long, value_name = "N", requires = "teacher", default_missing_value = "20", num_args = 0..=1)]
    pub audit: Option<usize>,
    /// The queries are documents too, under the same ids: leave out a query's own document.
    #[arg(long)]
    pub queries_are_documents: bool,
    /// The seed of the draw.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// The file of mined negatives, or - for standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}
