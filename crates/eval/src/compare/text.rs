//! A comparison as aligned text.

use std::fmt::Write;

use crate::compare::Comparison;
use crate::compare::table::{self, Table};

pub(super) fn render(comparison: &Comparison) -> String {
    let mut out = String::new();
    for table in table::values(comparison) {
        aligned(&mut out, &table);
    }
    let differences = table::differences(comparison);
    if !differences.rows.is_empty() {
        aligned(&mut out, &differences);
        out.push_str(&table::legend(comparison));
        out.push('\n');
    }
    for warning in table::warnings(comparison) {
        let _ = writeln!(out, "note: {warning}");
    }
    out
}

/// Writes the first column to the left and numbers to the right. A mark does not push its number
/// out of line: it hangs behind it.
fn aligned(out: &mut String, table: &Table) {
    let mark_width =
        |cell: &str| usize::from(cell.ends_with(['▲', '▼']) && cell.chars().count() > 1);
    let width = |cell: &str| cell.chars().count() - mark_width(cell);
    let lines = || std::iter::once(&table.header).chain(&table.rows);
    let columns = table.header.len();
    let widest = |column: usize| lines().map(|line| width(&line[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let _ = writeln!(out, "{}", table.title);
    for line in lines() {
        let mut text = String::from("  ");
        for (column, cell) in line.iter().enumerate() {
            let blanks = " ".repeat(widths[column] - width(cell));
            let numeric = table.is_numeric(column);
            let hang = if mark_width(cell) == 1 { "" } else { " " };
            if numeric {
                text.extend([&blanks, cell.as_str(), hang, " "]);
            } else {
                text.extend([cell.as_str(), &blanks, "  "]);
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out.push('\n');
}
