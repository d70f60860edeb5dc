//! `ecphory models`: the catalogue, what of it is here, and models in another type.

use std::io::{self, Write};
use std::path::Path;

use ecphory::model::{
    self, CatalogueEntry, CrossEncoder, Generator, GeneratorOptions, LateEncoder, SparseEncoder,
    Usable,
};
use ecphory::train::{Method, Trained};
use ecphory::{EncoderOptions, Precision, Role};
use serde_json::{Value, json};

use crate::args::Models;
use crate::context::{Context, print_json};
use crate::failure::Failure;
use crate::table::Table;

/// Lists, pulls, shows or converts models.
pub fn models(args: &Models, context: &Context) -> anyhow::Result<()> {
    match args {
        Models::List => list(context),
        Models::Pull { name } => pull(name, context),
        Models::Show { name } => show(name, context),
        Models::Average { models, weights, out } => average(models, weights, out, context),
        Models::Convert { model, out, precision } => convert(model, out, *precision, context),
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
    let mut facts = facts(name, &path, context)?;
    facts["name"] = json!(name);
    facts["path"] = json!(path.display().to_string());
    if let Some(trained) = Trained::of(&path)? {
        facts["trained"] = json!(in_words(&trained)?);
    }
    if context.common.json {
        return print_json(&facts);
    }
    let mut table = Table::new(&["what", "value"]);
    for (key, value) in facts.as_object().into_iter().flatten() {
        table.row([key.clone(), shown(value)]);
    }
    write!(io::stdout().lock(), "{table}")?;
    Ok(())
}

/// What a model says of itself, by its kind.
fn facts(name: &str, path: &Path, context: &Context) -> anyhow::Result<Value> {
    let facts = if Generator::opens(path)? {
        let generator = Generator::open(path, &GeneratorOptions::default())?;
        json!({
            "architecture": generator.architecture(),
            "vocabulary": generator.vocabulary(),
            "max_tokens": generator.max_tokens(),
            "chat": generator.has_chat(),
        })
    } else if SparseEncoder::opens(path)? {
        let model = SparseEncoder::open(path, &EncoderOptions::default())?;
        json!({
            "architecture": model.architecture(),
            "use": "learned sparse: `--channel sparse=MODEL`",
            "terms": model.terms(),
            "max_tokens": model.max_tokens(),
            "queries": if model.looks_queries_up() { "looked up" } else { "encoded" },
            "weights": model::weight_bytes(path)?,
            "fingerprint": model.fingerprint(),
        })
    } else if let Some(entry) = headed(name, context) {
        json!({
            "use": entry.usable.to_string(),
            "about": entry.about,
            "licence": entry.licence,
        })
    } else if CrossEncoder::opens(path)? {
        let model = context.engine.cross_encoder(name, &EncoderOptions::default())?;
        json!({
            "architecture": model.architecture(),
            "use": "cross-encoder: `dense >> cross(MODEL)`",
            "max_tokens": model.max_tokens(),
            "weights": model::weight_bytes(path)?,
            "fingerprint": model.fingerprint(),
        })
    } else if LateEncoder::opens(path)? {
        let model = context.engine.late_encoder(name, &EncoderOptions::default())?;
        json!({
            "architecture": model.architecture(),
            "use": "late interaction: `dense >> maxsim(MODEL)`",
            "dimensions": model.dimensions(),
            "max_tokens": model.max_tokens(Role::Document),
            "weights": model::weight_bytes(path)?,
            "fingerprint": model.fingerprint(),
        })
    } else {
        let encoder = context.engine.encoder(name, &EncoderOptions::default())?;
        json!({
            "architecture": encoder.architecture(),
            "dimensions": encoder.dimensions(),
            "max_tokens": encoder.max_tokens(),
            "weights": model::weight_bytes(path)?,
            "fingerprint": encoder.fingerprint(),
        })
    };
    Ok(facts)
}

/// Says how a model was trained.
fn in_words(trained: &Trained) -> anyhow::Result<String> {
    let recipe = Method::parse("training.json", &trained.origin.recipe)?;
    let Trained { origin, steps, kept, pairs, documents, .. } = trained;
    let seen = match recipe {
        Method::Views(_) => format!("views of {documents} documents"),
        Method::Pairs(_) | Method::Rounds(_) => format!("{pairs} pairs"),
    };
    let init = origin.init.get(..12).unwrap_or(&origin.init);
    Ok(format!(
        "by `{}` on {seen}, seed {}, from {init}…, step {kept} of {steps}",
        recipe.name(),
        origin.seed
    ))
}

/// The entry of a model whose transformer is there for another head than a sentence encoder's.
fn headed(name: &str, context: &Context) -> Option<&'static CatalogueEntry> {
    let entry = context.engine.models().show(name).ok().map(|(entry, _)| entry)?;
    Some(entry).filter(|e| !matches!(e.usable, Usable::Encoder | Usable::Static))
}

/// Writes a fact for people: of weights, how many bytes there are of each type.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(bytes) => {
            let each = bytes.iter().map(|(kind, bytes)| {
                format!("{kind} {:.1} MB", bytes.as_f64().unwrap_or_default() / 1e6)
            });
            each.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn average(names: &[String], weights: &[f64], out: &Path, context: &Context) -> anyhow::Result<()> {
    if !weights.is_empty() && weights.len() != names.len() {
        return Err(Failure::Usage("--weights takes one number for each model").into());
    }
    let mut models = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let weight = weights.get(place).copied().unwrap_or(1.0);
        models.push((context.engine.models().resolve(name)?, weight));
    }
    let done = model::average_models(&models, out, context.progress())?;
    let bytes = done.bytes_after;
    if context.common.json {
        let out = out.display().to_string();
        return print_json(&json!({"models": names, "output": out, "bytes": bytes}));
    }
    let (count, out) = (names.len(), out.display());
    writeln!(io::stdout().lock(), "the mean of {count} models is in {out}")?;
    Ok(())
}

fn convert(name: &str, out: &Path, precision: Precision, context: &Context) -> anyhow::Result<()> {
    let path = context.engine.models().resolve(name)?;
    let done = model::convert(&path, out, precision, context.progress())?;
    if context.common.json {
        return print_json(&json!({
            "model": name, "output": out.display().to_string(), "precision": precision.name(),
            "tensors": done.tensors, "bytes_before": done.bytes_before, "bytes_after": done.bytes_after,
        }));
    }
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    writeln!(
        io::stdout().lock(),
        "{name} in {precision} is in {}: {} tensors converted, {:.1} MB of weights instead of {:.1}",
        out.display(),
        done.tensors,
        megabytes(done.bytes_after),
        megabytes(done.bytes_before)
    )?;
    Ok(())
}
