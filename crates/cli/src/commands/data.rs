//! `ecphory data`: the judged data sets that are here.

use std::io::{self, Write};

use ecphory::eval::Dataset;
use ecphory::read::{self, ReadOptions};
use serde_json::json;

use crate::args::Data;
use crate::commands::audit::audit;
use crate::context::{Context, print_json};
use crate::failure::Failure;
use crate::table::Table;

/// Lists, shows or audits data sets.
pub fn data(args: &Data, context: &Context) -> anyhow::Result<()> {
    match args {
        Data::List => list(context),
        Data::Show { name } => show(name, context),
        Data::Audit(args) => audit(args, context),
    }
}

fn list(context: &Context) -> anyhow::Result<()> {
    if context.data.is_empty() {
        return Err(Failure::Usage(
            "ECPHORY_DATA is not set: name the directories that hold your data sets",
        )
        .into());
    }
    let found = Dataset::list(&context.data)?;
    if context.common.json {
        let found: Vec<_> = found
            .iter()
            .map(|set| json!({"name": set.name, "path": set.path.display().to_string(), "splits": set.splits}))
            .collect();
        return print_json(&json!(found));
    }
    let mut table = Table::new(&["name", "splits", "path"]);
    for set in found {
        table.row([set.name, set.splits.join(", "), set.path.display().to_string()]);
    }
    write!(io::stdout().lock(), "{table}")?;
    Ok(())
}

fn show(name: &str, context: &Context) -> anyhow::Result<()> {
    let set = context.dataset(name)?;
    let options = ReadOptions { skip_bad: true };
    let corpus = read::documents(&set.corpus, &options, context.progress(), &mut |_, _| Ok(()))?;
    let judgments: usize = set.qrels.queries.values().map(std::collections::BTreeMap::len).sum();
    let relevant = set
        .qrels
        .queries
        .values()
        .flat_map(|judged| judged.values())
        .filter(|&&grade| grade > 0)
        .count();
    let facts = json!({
        "name": set.name,
        "split": set.split,
        "corpus": set.corpus.display().to_string(),
        "documents": corpus.documents,
        "documents_left_out": corpus.skipped.len(),
        "queries": set.queries.len(),
        "judgments": judgments,
        "relevant": relevant,
    });
    if context.common.json {
        return print_json(&facts);
    }
    let mut table = Table::new(&["what", "value"]);
    for (key, value) in facts.as_object().into_iter().flatten() {
        table.row([
            key.replace('_', " "),
            value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        ]);
    }
    write!(io::stdout().lock(), "{table}")?;
    Ok(())
}
