//! `ecphory search`: one query, answered for a person or a program.

use std::io::{self, Write};

use ecphory::{
    Document, Filter, Hit, Order, Pipeline, Reader, Response, SearchOptions, Value, Work,
};
use serde_json::{Map, json};

use crate::args::Search;
use crate::context::{Context, print_json};

/// How many characters of a text are shown under a hit.
const SNIPPET: usize = 160;

/// How many values of a facet are shown.
const FACET_VALUES: usize = 20;

/// A field with its values and their counts.
type Facet = (String, Vec<(Value, u64)>);

/// Answers one query.
pub fn search(args: &Search, context: &Context) -> anyhow::Result<()> {
    let collection = context.engine.open(&args.collection)?;
    let reader = collection.snapshot()?;
    let pipeline = match &args.filter {
        Some(filter) => reader.pipeline(&format!("({}) >> where({filter})", args.pipeline))?,
        None => reader.pipeline(&args.pipeline)?,
    };
    let filter: Option<Filter> =
        args.filter.as_deref().map(str::parse).transpose().map_err(ecphory::Error::from)?;
    let order: Option<Order> = args.sort.as_deref().map(str::parse).transpose()?;
    let response = answer(args, &reader, &pipeline, filter.as_ref(), order.as_ref())?;
    let mut facets: Vec<Facet> = Vec::new();
    for field in &args.facets {
        facets.push((field.clone(), reader.facets(field, filter.as_ref(), FACET_VALUES)?));
    }
    if context.common.json {
        let mut object = to_json(&args.query, &pipeline.to_string(), &response);
        if !facets.is_empty() {
            object["facets"] = facets_json(&facets);
        }
        return print_json(&object);
    }
    let mut out = io::stdout().lock();
    for (i, hit) in response.hits.iter().enumerate() {
        write_hit(&mut out, i + 1, hit)?;
    }
    if response.hits.is_empty() {
        writeln!(out, "nothing found")?;
    }
    for (field, counts) in &facets {
        writeln!(out, "{field}:")?;
        for (value, count) in counts {
            writeln!(out, "{count:>9}  {value}")?;
        }
    }
    if args.explain {
        writeln!(out, "pipeline {pipeline}")?;
        for stage in &response.timings {
            let work = stage.work.map(|work| format!(": {}", described(work))).unwrap_or_default();
            writeln!(out, "  {:>9.3} ms  {}{work}", stage.micros as f64 / 1000.0, stage.name)?;
        }
    }
    for note in &response.notes {
        context.notice(&format!("note: {note}"));
    }
    Ok(())
}

/// Searches, and sorts what was found; or takes the first documents in an order, where nothing is asked.
fn answer(
    args: &Search,
    reader: &Reader,
    pipeline: &Pipeline,
    filter: Option<&Filter>,
    order: Option<&Order>,
) -> anyhow::Result<Response> {
    if let (Some(order), true) = (order, args.query.trim().is_empty()) {
        let hits = reader.browse(order, filter, args.k)?;
        return Ok(Response { hits, ..Response::default() });
    }
    let options = SearchOptions { k: args.k, explain: args.explain, documents: true };
    let mut response = reader.search(pipeline, &args.query, &options)?;
    if let Some(order) = order {
        response.hits = reader.reorder(response.hits, order)?;
    }
    Ok(response)
}

fn facets_json(facets: &[Facet]) -> serde_json::Value {
    let values = |counts: &[(Value, u64)]| -> serde_json::Value {
        let each = counts.iter();
        each.map(|(value, count)| json!({"value": value_json(value), "count": count})).collect()
    };
    let fields = facets.iter().map(|(field, counts)| (field.clone(), values(counts)));
    serde_json::Value::Object(fields.collect())
}

/// Writes one hit: rank, score, id, title and the beginning of the text.
pub fn write_hit(out: &mut dyn Write, rank: usize, hit: &Hit) -> io::Result<()> {
    let title = hit.document.as_ref().and_then(|document| document.text("title")).unwrap_or("");
    writeln!(out, "{rank:>3}. {:<9.4} {}  {title}", hit.score, hit.id)?;
    if let Some(text) = hit.document.as_ref().and_then(|document| document.text("text")) {
        writeln!(out, "     {}", snippet(text))?;
    }
    if let Some(explanation) = &hit.explanation {
        for line in explanation.to_string().lines() {
            writeln!(out, "     {line}")?;
        }
    }
    Ok(())
}

fn snippet(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(SNIPPET) {
        Some((end, _)) => format!("{}…", flat[..end].trim_end()),
        None => flat,
    }
}

fn to_json(query: &str, pipeline: &str, response: &Response) -> serde_json::Value {
    let hits: Vec<_> = response
        .hits
        .iter()
        .enumerate()
        .map(|(i, hit)| {
            let mut object = json!({"rank": i + 1, "id": hit.id, "score": hit.score});
            if let Some(document) = &hit.document {
                object["document"] = document_json(document);
            }
            if let Some(explanation) = &hit.explanation {
                object["explanation"] = explanation.to_json();
            }
            object
        })
        .collect();
    let timings: Vec<_> = response
        .timings
        .iter()
        .map(|stage| {
            let mut object = json!({"stage": stage.name, "micros": stage.micros});
            if let Some(Work { postings, skipped, scored }) = stage.work {
                let work = json!({"postings": postings, "skipped": skipped, "scored": scored});
                object["work"] = work;
            }
            object
        })
        .collect();
    json!({"query": query, "pipeline": pipeline, "hits": hits, "timings": timings, "notes": response.notes})
}

/// Says what a search of postings read.
fn described(work: Work) -> String {
    let Work { postings, skipped, scored } = work;
    format!("{postings} postings read, {skipped} passed over, {scored} documents scored")
}

/// Returns a document's fields as a JSON object.
pub fn document_json(document: &Document) -> serde_json::Value {
    let fields: Map<String, serde_json::Value> =
        document.fields.iter().map(|(name, value)| (name.clone(), value_json(value))).collect();
    serde_json::Value::Object(fields)
}

fn value_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Bool(flag) => json!(flag),
        Value::List(items) => items.iter().map(value_json).collect(),
    }
}
