//! `ecphory encode`: texts into vectors, one JSON line each.

use std::io::{self, BufRead, Write};

use ecphory::Role;
use ecphory::read::{self, ReadOptions};
use serde_json::json;

use crate::args::{Encode, RoleName};
use crate::commands::run::write_whole;
use crate::context::Context;

/// How many texts are encoded between two writes.
const BATCH: usize = 1024;

/// Encodes texts.
pub fn encode(args: &Encode, context: &Context) -> anyhow::Result<()> {
    let encoder = context.engine.encoder(&args.model, args.max_tokens)?;
    let texts = texts(args, context)?;
    let role = match args.role {
        RoleName::Query => Role::Query,
        RoleName::Document => Role::Document,
    };
    let write = |out: &mut dyn Write| -> anyhow::Result<()> {
        for batch in texts.chunks(BATCH) {
            let batch_texts: Vec<&str> = batch.iter().map(|(_, text)| text.as_str()).collect();
            let vectors =
                context.engine.encode(&encoder, &batch_texts, role, context.progress())?;
            for ((id, _), vector) in batch.iter().zip(vectors.chunks(encoder.dimensions())) {
                serde_json::to_writer(&mut *out, &json!({"_id": id, "vector": vector}))?;
                writeln!(out)?;
            }
        }
        Ok(())
    };
    match &args.output {
        Some(path) => write_whole(path, write),
        None => write(&mut io::stdout().lock()),
    }
}

/// Returns ids and texts: from the options, a corpus, or the lines of standard input.
fn texts(args: &Encode, context: &Context) -> anyhow::Result<Vec<(String, String)>> {
    if !args.text.is_empty() {
        return Ok(numbered(args.text.iter().cloned()));
    }
    let Some(path) = &args.input else {
        let lines: Vec<String> = io::stdin().lock().lines().collect::<io::Result<_>>()?;
        return Ok(numbered(lines.into_iter()));
    };
    let corpus = read::corpus(path, &ReadOptions { skip_bad: false }, context.progress())?;
    let fields = ["title".to_owned(), "text".to_owned()];
    Ok(corpus
        .documents
        .into_iter()
        .map(|document| {
            let text = document.joined_text(&fields);
            (document.id, text)
        })
        .collect())
}

fn numbered(texts: impl Iterator<Item = String>) -> Vec<(String, String)> {
    texts.enumerate().map(|(i, text)| ((i + 1).to_string(), text)).collect()
}
