//! `ecphory split`: splits that tell interpolation from extrapolation.

use std::io::{self, Write};

use ecphory::{ErrorKind, Protocol, Resampled, ResamplingRequest};
use serde_json::json;

use crate::args::{ProtocolName, Split};
use crate::context::{Context, print_json};
use crate::failure::Failure;
use crate::table::Table;

/// Resamples a data set.
pub fn split(args: &Split, context: &Context) -> anyhow::Result<()> {
    let train = context.dataset_split(&args.data, Some(&args.train))?;
    let test = context.dataset_split(&args.data, Some(&args.test))?;
    let protocol = match args.protocol {
        ProtocolName::Restrain => Protocol::Restrain { neighbours: args.neighbours },
        ProtocolName::Resttest => Protocol::RestTest { groups: args.groups },
    };
    let request = ResamplingRequest {
        protocol,
        encoder: args.encoder.clone(),
        seed: args.seed,
        out: args.out.clone(),
    };
    let made = match context.engine.resample(&train, &test, &request, context.progress()) {
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            return Err(Failure::Interrupted("nothing was written".to_owned()).into());
        }
        other => other?,
    };
    report(args, &made, context)
}

fn report(args: &Split, made: &Resampled, context: &Context) -> anyhow::Result<()> {
    if context.common.json {
        let splits: Vec<_> = made
            .splits
            .iter()
            .map(|split| json!({"name": split.name, "queries": split.queries, "relevant": split.relevant}))
            .collect();
        return print_json(&json!({
            "output": args.out.display().to_string(), "splits": splits,
            "same_id": made.same_id, "unmatched": made.unmatched,
        }));
    }
    let mut table = Table::new(&["split", "queries", "relevant pairs"]);
    for split in &made.splits {
        table.row([split.name.clone(), split.queries.to_string(), split.relevant.to_string()]);
    }
    let mut out = io::stdout().lock();
    write!(out, "{table}")?;
    if made.same_id > 0 {
        writeln!(out, "{} training queries are test queries too and were left out", made.same_id)?;
    }
    if made.unmatched > 0 {
        writeln!(
            out,
            "{} neighbours have no counterpart with as many answers and are in no split",
            made.unmatched
        )?;
    }
    context.notice(&format!("{0} is a data set: --data {0}", args.out.display()));
    Ok(())
}
