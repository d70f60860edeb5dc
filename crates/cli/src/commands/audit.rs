//! `ecphory data audit`: test queries that training has seen.

use std::io::{self, Write};

use ecphory::eval::Queries;
use ecphory::eval::leakage::{Judged, Leakage, LeakageOptions, Likeness};
use serde_json::json;

use crate::args::Audit;
use crate::context::{Context, print_json};
use crate::table::Table;

/// How many near duplicates are shown to people; the JSON has all of them.
const SHOWN: usize = 10;

/// Compares training queries with test queries.
pub fn audit(args: &Audit, context: &Context) -> anyhow::Result<()> {
    let test = context.dataset_split(&args.name, Some(&args.test))?;
    let options = LeakageOptions { words: args.words, overlap: args.overlap, shared: args.shared };
    let of_test = Judged { queries: &test.queries, qrels: Some(&test.qrels) };
    let (found, texts) = if let Some(path) = &args.queries {
        let queries = Queries::read(path)?;
        let of_train = Judged { queries: &queries, qrels: None };
        (options.compare(of_train, of_test)?, queries)
    } else {
        let train = context.dataset_split(&args.name, Some(&args.train))?;
        let of_train = Judged { queries: &train.queries, qrels: Some(&train.qrels) };
        (options.compare(of_train, of_test)?, train.queries)
    };
    if context.common.json {
        return print_json(&as_json(args, &found));
    }
    let mut out = io::stdout().lock();
    write!(out, "{}", as_table(args, &found))?;
    for (what, list) in [("equal texts", &found.same_text), ("near duplicates", &found.near)] {
        if list.is_empty() {
            continue;
        }
        writeln!(out, "\n{what}:")?;
        let mut table = Table::new(&["test", "train", "overlap", "test text", "train text"]);
        for Likeness { test: id, train, overlap } in list.iter().take(SHOWN) {
            let shown = |queries: &Queries, id: &str| -> String {
                queries.text(id).unwrap_or_default().chars().take(60).collect()
            };
            table.row([
                id.clone(),
                train.clone(),
                format!("{overlap:.2}"),
                shown(&test.queries, id),
                shown(&texts, train),
            ]);
        }
        write!(out, "{table}")?;
        if list.len() > SHOWN {
            writeln!(out, "and {} more", list.len() - SHOWN)?;
        }
    }
    Ok(())
}

fn as_json(args: &Audit, found: &Leakage) -> serde_json::Value {
    let list = |list: &[Likeness]| -> Vec<_> {
        let one = |like: &Likeness| json!({"test": like.test, "train": like.train, "overlap": like.overlap});
        list.iter().map(one).collect()
    };
    json!({
        "train_queries": found.train, "test_queries": found.test,
        "words": args.words, "overlap": args.overlap, "shared": args.shared,
        "same_id": found.same_id, "same_text": list(&found.same_text), "near": list(&found.near),
        "sharing": found.sharing.map(|sharing| json!({"of": sharing.of, "count": sharing.count})),
    })
}

fn as_table(args: &Audit, found: &Leakage) -> Table {
    let mut table = Table::new(&["test queries", "count", "share"]);
    let mut row = |what: String, count: usize, of: usize| {
        let share = 100.0 * count as f64 / of.max(1) as f64;
        table.row([what, count.to_string(), format!("{share:.1}%")]);
    };
    let test = found.test;
    row(format!("all, beside {} training queries", found.train), test, test);
    row("with the id of a training query".to_owned(), found.same_id.len(), test);
    row("with its text".to_owned(), found.same_text.len(), test);
    let near =
        format!("near duplicates: {} of the word {}-grams or more", args.overlap, args.words);
    row(near, found.near.len(), test);
    if let Some(sharing) = found.sharing {
        let what = format!("that share {} relevant documents or more", args.shared);
        row(what, sharing.count, sharing.of);
    }
    table
}
