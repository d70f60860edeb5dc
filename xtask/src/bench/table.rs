//! The tables of docs/benchmarks.md, made from the record: of each comparison the newest line; and the plot beside them.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result};
use fs_err as fs;

use super::plot;
use super::record::{self, Row, figure};
use crate::tidy::Problem;
use crate::tree::{self, SourceFile};

const PAGE: &str = "docs/benchmarks.md";
const BEGIN: &str = "<!-- made from benches-record by `cargo xtask bench --table`: do not edit -->";
const END: &str = "<!-- end -->";

/// Rewrites the tables of the page, and the plots, from the record; says what it did.
pub fn write() -> Result<String> {
    let files = tree::read(&tree::root())?;
    let page =
        files.iter().find(|file| file.path == PAGE).context("docs/benchmarks.md is missing")?;
    let made = made(&files).map_err(|problem| anyhow::anyhow!("{problem}"))?;
    let text = replaced(&page.text, &made.tables)
        .context("docs/benchmarks.md has lost the marks around its tables")?;
    for (path, plot) in &made.plots {
        fs::write(tree::root().join(path), plot)?;
    }
    fs::write(tree::root().join(PAGE), text)?;
    Ok(format!("{PAGE} is made from the record"))
}

const DIFFERS: &str = "differs from benches-record: run `cargo xtask bench --table`";

/// Says where the page or a plot differs from the record.
pub fn check(files: &[SourceFile]) -> Option<Problem> {
    let page = files.iter().find(|file| file.path == PAGE)?;
    let made = match made(files) {
        Ok(made) => made,
        Err(problem) => return Some(problem),
    };
    for (path, plot) in &made.plots {
        if !files.iter().any(|file| file.path == *path && file.text == *plot) {
            return Some(Problem::new(path, 0, DIFFERS));
        }
    }
    match replaced(&page.text, &made.tables) {
        None => Some(Problem::new(PAGE, 0, "has lost the marks around its tables")),
        Some(text) if text != page.text => Some(Problem::new(PAGE, 0, DIFFERS)),
        Some(_) => None,
    }
}

fn replaced(page: &str, tables: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{tables}{END}{after}"))
}

/// A comparison is the same one where workload, metric and peer are.
pub type Newest = BTreeMap<(String, String, String), (String, Row)>;

/// What is made from the record.
struct Made {
    tables: String,
    /// Files by their paths.
    plots: BTreeMap<String, String>,
}

fn made(files: &[SourceFile]) -> Result<Made, Problem> {
    let mut machines: BTreeMap<&str, Newest> = BTreeMap::new();
    // Files are sorted by path and so, within a machine, by date; later lines replace earlier ones.
    for file in files.iter().filter(|file| file.is("csv")) {
        let Some(rest) = file.path.strip_prefix("benches-record/") else { continue };
        let Some((machine, _)) = rest.split_once('/') else { continue };
        let newest = machines.entry(machine).or_default();
        for (number, line) in file.text.lines().enumerate() {
            if number == 0 && line == record::HEADER {
                continue;
            }
            let row = Row::from_csv(line).ok_or_else(|| {
                Problem::new(&file.path, number + 1, format!("expected `{}`", record::HEADER))
            })?;
            let date = line[..line.len().min(10)].to_owned();
            let key = (row.workload.clone(), row.metric.clone(), row.peer.clone());
            newest.insert(key, (date, row));
        }
    }
    let mut made = Made { tables: String::new(), plots: BTreeMap::new() };
    if machines.is_empty() {
        made.tables += "No record yet.\n\n";
    }
    for (machine, newest) in &machines {
        // Writing to a string cannot fail.
        let _ = writeln!(made.tables, "## {machine}\n");
        if let Some(plot) = plot::draw(newest) {
            let name = format!("growth-{machine}.svg");
            let _ = writeln!(made.tables, "![Searches as collections grow]({name})\n");
            made.plots.insert(format!("docs/{name}"), plot);
        }
        let _ = writeln!(made.tables, "{}", one_table(newest));
    }
    Ok(made)
}

fn one_table(newest: &Newest) -> String {
    let mut text = String::from(
        "| workload | metric | ours | peer | theirs | ratio | spread | runs | held equal | date |\n\
         |---|---|---:|---|---:|---:|---|---:|---|---|\n",
    );
    for (date, row) in newest.values() {
        let Row { workload, peer, metric, quality, ratio, low, high, runs, .. } = row;
        let (ours, theirs) = (figure(row.ours), figure(row.theirs));
        let quality = quality.replace('|', "/");
        let _ = writeln!(
            text,
            "| {workload} | {metric} | {ours} | {peer} | {theirs} | **{ratio:.2}** | {low:.2} to {high:.2} | {runs} | {quality} | {date} |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(date: &str, ratio: &str) -> String {
        format!(
            "{date}T00:00:00Z,abc,0.1,bm25,tantivy,docs/s,\"same, terms\",2,1,{ratio},1.9,2.1,3\n"
        )
    }

    #[test]
    fn the_newest_line_counts_and_the_page_has_to_agree() {
        let record = [
            SourceFile::sample(
                "benches-record/cpu/2026-01-01.csv",
                &(record::HEADER.to_owned() + "\n" + &line("2026-01-01", "1.5")),
            ),
            SourceFile::sample("benches-record/cpu/2026-01-02.csv", &line("2026-01-02", "2.5")),
        ];
        let tables = made(&record).ok().unwrap().tables;
        assert!(tables.contains("**2.50**") && !tables.contains("1.50"), "{tables}");
        let page = replaced(&format!("# A\n{BEGIN}old{END}\nz"), &tables).unwrap();
        let mut files = Vec::from(record);
        files.push(SourceFile::sample(PAGE, &page));
        assert_eq!(check(&files), None);
        files.last_mut().unwrap().text = page.replace("2.50", "3.50");
        assert!(check(&files).is_some());
        files.last_mut().unwrap().text = "no marks".into();
        assert!(check(&files).is_some());
    }

    #[test]
    fn plots_have_to_agree_too() {
        let rows = [10, 100].map(|documents| {
            line("2026-01-01", "1.5").replace(
                "docs/s",
                &format!("\"search: queries per second, top 10, {documents} documents\""),
            )
        });
        let text = format!("{}\n{}", record::HEADER, rows.concat());
        let record = SourceFile::sample("benches-record/cpu/2026-01-01.csv", &text);
        let mut made = made(std::slice::from_ref(&record)).ok().unwrap();
        assert!(made.tables.contains("(growth-cpu.svg)"), "{}", made.tables);
        let plot = made.plots.remove("docs/growth-cpu.svg").unwrap();
        let page = replaced(&format!("{BEGIN}{END}"), &made.tables).unwrap();
        let mut files = vec![record, SourceFile::sample(PAGE, &page)];
        assert_eq!(check(&files).unwrap().path, "docs/growth-cpu.svg");
        files.push(SourceFile::sample("docs/growth-cpu.svg", &plot));
        assert_eq!(check(&files), None);
        files.last_mut().unwrap().text.push(' ');
        assert!(check(&files).is_some());
    }

    #[test]
    fn a_broken_line_is_named() {
        let record = SourceFile::sample("benches-record/cpu/2026-01-01.csv", "what\n");
        assert_eq!(made(&[record]).err().unwrap().line, 1);
    }
}
