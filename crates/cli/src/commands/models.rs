//! `ecphory models`: the catalogue, and what of it is here.

use std::io::{self, Write};

use ecphory::EncoderOptions;
use ecphory::model::{Generator, GeneratorOptions};
use serde_json::json;

use crate::args::Models;
use crate::context::{Context, print_json};
use crate::table::Table;

/// Lists, pulls or shows models.
pub fn models(args: &Models, context: &Context) -> anyhow::Result<()> {
    match args {
        Models::List => list(context),
        Models::Pull { name } => pull(name, context),
        Models::Show { name } => show(name, context),
    }
}

fn list(context: &Context) -> anyhow::Result<()> {
    let entries = context.engine.models().list();
    if context.common.json {
        let entries: Vec<_> = entries
            .iter()
            .map(|(entry, pulled)| {
                json!({
                    "name": entry.name, "about": entry.about, "licence": entry.licence,
                    "dimensions": entry.dimensions, "use": entry.usable.to_string(), "pulled": pulled,
                })
            })
            .collect();
        return print_json(&json!(entries));
    }
    let mut table = Table::new(&["name", "here", "use", "dimensions", "licence", "what"]);
    for (entry, pulled) in entries {
        table.row([
            entry.name.to_owned(),
            if pulled { "yes" } else { "" }.to_owned(),
            entry.usable.to_string(),
            entry.dimensions.map(|d| d.to_string()).unwrap_or_default(),
            entry.licence.to_owned(),
            entry.about.to_owned(),
        ]);
    }
    write!(io::stdout().lock(), "{table}")?;
    Ok(())
}

fn pull(name: &str, context: &Context) -> anyhow::Result<()> {
    let path = context.engine.models().pull(name, context.progress())?;
    if context.common.json {
        return print_json(&json!({"name": name, "path": path.display().to_string()}));
    }
    writeln!(io::stdout().lock(), "{name} is in {}", path.display())?;
    Ok(())
}

fn show(name: &str, context: &Context) -> anyhow::Result<()> {
    let path = context.engine.models().resolve(name)?;
    let facts = if Generator::opens(&path)? {
        let generator = Generator::open(&path, &GeneratorOptions::default())?;
        json!({
            "name": name,
            "path": path.display().to_string(),
            "architecture": generator.architecture(),
            "vocabulary": generator.vocabulary(),
            "max_tokens": generator.max_tokens(),
            "chat": generator.has_chat(),
        })
    } else {
        let encoder = context.engine.encoder(name, &EncoderOptions::default())?;
        json!({
            "name": name,
            "path": path.display().to_string(),
            "architecture": encoder.architecture(),
            "dimensions": encoder.dimensions(),
            "max_tokens": encoder.max_tokens(),
            "fingerprint": encoder.fingerprint(),
        })
    };
    if context.common.json {
        return print_json(&facts);
    }
    let mut table = Table::new(&["what", "value"]);
    for (key, value) in facts.as_object().into_iter().flatten() {
        table.row([key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)]);
    }
    write!(io::stdout().lock(), "{table}")?;
    Ok(())
}
