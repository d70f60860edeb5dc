//! `ecphory fuse`: run files into one.

use std::io;

use ecphory::eval::Run as TrecRun;
use ecphory::{FusionMethod, fuse_runs};

use crate::args::{Fuse, FuseMethod};
use crate::commands::run::write_run;
use crate::context::Context;

/// Fuses runs.
pub fn fuse(args: &Fuse, _context: &Context) -> anyhow::Result<()> {
    let runs: Vec<TrecRun> = args.runs.iter().map(TrecRun::read).collect::<Result<_, _>>()?;
    let method = match args.method {
        FuseMethod::Rrf => FusionMethod::Rrf { k: args.rrf_k, weights: args.weights.clone() },
        FuseMethod::Cc => FusionMethod::Cc { weights: args.weights.clone() },
    };
    let mut fused = fuse_runs(&runs, &method, args.k)?;
    fused.tag.clone_from(&args.tag);
    match &args.output {
        Some(path) => write_run(&fused, path),
        None => Ok(fused.write(&mut io::stdout().lock())?),
    }
}
