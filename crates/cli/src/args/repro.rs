//! The arguments of `repro`.

use std::path::PathBuf;

use clap::Args;

/// Run the experiment of a paper's claim, and say whether it held here.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ecphory repro tas-b\n  ecphory repro tas-b --small\n  ecphory repro --all --tier T0,T1 --markdown verdicts.md\n  ecphory repro cet --lock cet.lock\n\nVerdicts: `reproduced` is a difference in the claimed direction with p < 0.05 on a collection at least, and none against it on another; `mechanism only` is that what should be seen on the way was seen and the metric did not follow; `not reproduced` is neither.\n\n--small runs one fold with one seed on the first collection, judges only what should be seen on the way, and fails where it is not."
)]
pub struct Repro {
    /// The claims to examine, by name.
    #[arg(required_unless_present_any = ["all", "list"], conflicts_with = "all")]
    pub claims: Vec<String>,
    /// Examine all claims.
    #[arg(long)]
    pub all: bool,
    /// List the claims, and do nothing else.
    #[arg(long, conflicts_with_all = ["all", "claims"])]
    pub list: bool,
    /// Of all claims only those of these tiers.
    #[arg(long = "tier", value_name = "TIER", value_delimiter = ',', requires = "all", value_parser = ["T0", "T1", "S"])]
    pub tiers: Vec<String>,
    /// The data sets, by name or as directories in the layout of BEIR.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "cranfield,scifact")]
    pub data: Vec<String>,
    /// The model to begin from.
    #[arg(long, value_name = "MODEL", default_value = "minilm")]
    pub init: String,
    /// One fold, one seed and one collection; a mechanism that is not seen is a failure.
    #[arg(long)]
    pub small: bool,
    /// Write what decides the numbers to a file; where it is there, refuse to run anything else.
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Write the table of verdicts to a file as Markdown, too.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}
