//! `ecphory repro`: claims of papers, examined.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Instant;

use ecphory::eval::Dataset;
use ecphory::train::claim::{CLAIMS, Claim};
use ecphory::train::study::{Budget, Contrast, Report};
use ecphory::{ClaimCollection, ClaimRequest, ErrorKind, Examined};

use crate::args::Repro;
use crate::commands::run::write_whole;
use crate::commands::{index, lock};
use crate::context::{Context, print_json};
use crate::failure::{Failure, kind};
use crate::prepared::collection_of;
use crate::table::Table;

/// Examines claims.
pub fn repro(args: &Repro, context: &Context) -> anyhow::Result<()> {
    let claims = chosen(args)?;
    if args.list {
        return list(context);
    }
    let names = if args.small { &args.data[..1] } else { &args.data[..] };
    let collections =
        names.iter().map(|name| collection(name, context)).collect::<anyhow::Result<Vec<_>>>()?;
    let cache = context.engine.disk_cache().expect("this command keeps encodings");
    let budget = if args.small { Budget::small() } else { Budget::full() };
    let request = ClaimRequest { claims, init: args.init.clone(), budget };
    let mut reports: Vec<(Report, f64)> = Vec::new();
    let mut start = Instant::now();
    let progress = context.progress();
    let mut hear = |examined| -> anyhow::Result<()> {
        match examined {
            Examined::Begun(experiment) => {
                if let Some(path) = &args.lock {
                    lock::hold(path, &experiment)?;
                }
            }
            Examined::Found(report) => {
                context.notice(&format!("{}: {}", report.claim, report.verdict));
                reports.push((*report, start.elapsed().as_secs_f64()));
            }
        }
        start = Instant::now();
        Ok(())
    };
    context.engine.examine(&request, &collections, cache, progress, &mut hear)?;
    if let Some(path) = &args.markdown {
        let text = markdown(&reports);
        write_whole(path, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    show(&reports, context)?;
    let missed = reports
        .iter()
        .flat_map(|(report, _)| &report.mechanisms)
        .find(|one| one.asserted && !one.holds);
    match missed.filter(|_| args.small) {
        Some(missed) => {
            Err(Failure::Mechanism { says: missed.says.clone(), seen: missed.seen.clone() }.into())
        }
        None => Ok(()),
    }
}

fn chosen(args: &Repro) -> anyhow::Result<Vec<&'static Claim>> {
    if !args.all {
        return Ok(args.claims.iter().map(|name| Claim::named(name)).collect::<Result<_, _>>()?);
    }
    let is_wanted =
        |claim: &&Claim| args.tiers.is_empty() || args.tiers.iter().any(|tier| tier == claim.tier);
    Ok(CLAIMS.iter().filter(is_wanted).collect())
}

/// The splits of a data set, and its documents with a lexical channel.
fn collection(name: &str, context: &Context) -> anyhow::Result<ClaimCollection> {
    let first = context.dataset(name)?;
    let requests = index::channels(&["bm25".to_owned()], &[])?;
    let reader = collection_of(&first, &requests, context)?.snapshot()?;
    let mut splits = vec![first];
    for split in ["train", "dev"] {
        if splits.iter().any(|one: &Dataset| one.split == split) {
            continue;
        }
        match context.dataset_split(name, Some(split)) {
            Ok(more) => splits.push(more),
            // Most sets have no such split; one that is there and cannot be read is an error.
            Err(error) if kind(&error) == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ClaimCollection { splits, reader })
}

#[allow(clippy::print_stdout, reason = "the list is the result")]
fn list(context: &Context) -> anyhow::Result<()> {
    if context.common.json {
        let of = |claim: &Claim| serde_json::json!({"claim": claim.name, "tier": claim.tier, "paper": claim.paper, "says": claim.says});
        return print_json(&CLAIMS.iter().map(of).collect());
    }
    for claim in CLAIMS {
        println!("{} ({})\n  {}\n  {}", claim.name, claim.tier, claim.paper, claim.says);
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the report is the result")]
fn show(reports: &[(Report, f64)], context: &Context) -> anyhow::Result<()> {
    if context.common.json {
        let values = reports.iter().map(|(report, seconds)| {
            let mut value = serde_json::to_value(report)?;
            value["seconds"] = serde_json::json!(seconds);
            Ok(value)
        });
        let values = values.collect::<anyhow::Result<Vec<_>>>()?;
        return match <[_; 1]>::try_from(values) {
            Ok([one]) => print_json(&one),
            Err(all) => print_json(&all.into()),
        };
    }
    for (report, seconds) in reports {
        print!("{}", text(report, *seconds)?);
    }
    io::stdout().flush()?;
    Ok(())
}

/// A report for people.
fn text(report: &Report, seconds: f64) -> anyhow::Result<String> {
    let mut text = format!(
        "{}: {}\n{}\n{}\n{}, {seconds:.0} s\n\n",
        report.claim, report.verdict, report.paper, report.says, report.runs
    );
    let collections: Vec<&String> =
        report.arms.first().map(|arm| arm.metric.keys().collect()).unwrap_or_default();
    let mut header = vec![report.metric.clone()];
    for name in &collections {
        header.extend([(*name).clone(), "p".to_owned()]);
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Table::new(&header);
    for arm in &report.arms {
        let mut cells = vec![arm.name.clone()];
        for name in &collections {
            cells.push(arm.metric.get(*name).map_or_else(String::new, |mean| format!("{mean:.4}")));
            let p = arm.p_values.get(*name);
            cells.push(p.map_or_else(String::new, |p| format!("{p:.4}")));
        }
        table.row(cells);
    }
    writeln!(text, "{table}")?;
    for (what, contrasts) in [("decides", &report.contrasts), ("beside", &report.others)] {
        for contrast in contrasts {
            writeln!(text, "{what}: {}", sentence(contrast))?;
        }
    }
    for mechanism in &report.mechanisms {
        let mark = if mechanism.holds { "seen" } else { "not seen" };
        let (collection, says, seen) = (&mechanism.collection, &mechanism.says, &mechanism.seen);
        writeln!(text, "{mark}: {collection}, {says} ({seen})")?;
    }
    writeln!(text)?;
    Ok(text)
}

fn sentence(contrast: &Contrast) -> String {
    let Contrast { collection, better, worse, difference, p_value, queries } = contrast;
    format!(
        "{collection}, {better} against {worse}: {difference:+.4} (p {p_value:.4}, {queries} queries)"
    )
}

/// The table of verdicts.
fn markdown(reports: &[(Report, f64)]) -> String {
    let mut text = String::from(
        "| claim | says | verdict | decided by | seen on the way |\n|---|---|---|---|---|\n",
    );
    let rows = reports.iter().map(|(report, _)| {
        let decided: Vec<String> = report.contrasts.iter().map(sentence).collect();
        let seen: Vec<String> = report
            .mechanisms
            .iter()
            .map(|one| {
                let mark = if one.holds { "" } else { "not seen: " };
                format!("{mark}{}, {} ({})", one.collection, one.says, one.seen)
            })
            .collect();
        let Report { claim, paper, says, verdict, .. } = report;
        let cells = [
            format!("`{claim}`: {paper}"),
            says.clone(),
            verdict.to_string(),
            decided.join("<br>"),
            seen.join("<br>"),
        ];
        format!("| {} |\n", cells.join(" | "))
    });
    text.extend(rows);
    text
}
