//! A comparison as Markdown.

use std::fmt::Write;

use crate::compare::Comparison;
use crate::compare::table::{self, Table};

pub(super) fn render(comparison: &Comparison) -> String {
    let mut out = String::new();
    for table in table::values(comparison) {
        pipes(&mut out, &table);
    }
    let differences = table::differences(comparison);
    if !differences.rows.is_empty() {
        pipes(&mut out, &differences);
        let _ = writeln!(out, "{}\n", escaped(&table::legend(comparison)));
    }
    for warning in table::warnings(comparison) {
        let _ = writeln!(out, "- {}", escaped(&warning));
    }
    out
}

fn pipes(out: &mut String, table: &Table) {
    let _ = writeln!(out, "### {}\n", escaped(&table.title));
    let row = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let _ = writeln!(out, "{}", row(&table.header));
    let rule = if table.header.len() > 1 {
        " ---: |".repeat(table.header.len() - 1)
    } else {
        String::new()
    };
    let _ = writeln!(out, "| --- |{rule}");
    for cells in &table.rows {
        let _ = writeln!(out, "{}", row(cells));
    }
    out.push('\n');
}

/// Names may hold what Markdown takes for markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\|*_`<>[]#".contains(c) {
            out.push('\\');
        }
        out.push(if c == '\n' { ' ' } else { c });
    }
    out
}
