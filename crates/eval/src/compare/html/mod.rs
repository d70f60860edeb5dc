//! A comparison as one HTML page. Everything is inline: it can be mailed, archived and opened offline.

mod bars;
mod lines;
mod style;
mod svg;

use std::fmt::Write;

use crate::compare::table::{self, Table};
use crate::compare::{Comparison, SetResult};
use svg::escape;

/// How many of the most helped and the most hurt queries are listed.
const LISTED: usize = 8;

pub(super) fn render(comparison: &Comparison, title: &str) -> String {
    let mut out = String::new();
    let title = escape(title);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{}</style></head>\n<body><main>\n<h1>{title}</h1>\n",
        style::CSS
    );
    summary(&mut out, comparison);
    for set in &comparison.sets {
        section(&mut out, comparison, set);
    }
    out.push_str("</main></body></html>\n");
    out
}

fn summary(out: &mut String, comparison: &Comparison) {
    let legend = table::legend(comparison);
    if !legend.is_empty() {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(&legend));
    }
    for warning in table::warnings(comparison) {
        let _ = writeln!(out, "<p class=\"warning\">Note: {}.</p>", escape(&warning));
    }
    out.push_str("<div class=\"tables\">\n");
    for table in table::values(comparison) {
        grid(out, &table);
    }
    out.push_str("</div>\n");
    let differences = table::differences(comparison);
    if !differences.rows.is_empty() {
        grid(out, &differences);
    }
}

fn grid(out: &mut String, table: &Table) {
    let _ =
        write!(out, "<div><h2>{}</h2>\n<div class=\"scroll\"><table><thead>", escape(&table.title));
    row(out, table, &table.header, true);
    out.push_str("</thead>\n<tbody>\n");
    for cells in &table.rows {
        row(out, table, cells, false);
    }
    out.push_str("</tbody></table></div></div>\n");
}

fn row(out: &mut String, table: &Table, cells: &[String], header: bool) {
    out.push_str("<tr>");
    for (column, cell) in cells.iter().enumerate() {
        let (tag, scope) = match (header, column) {
            (true, _) => ("th", " scope=\"col\""),
            (false, 0) => ("th", " scope=\"row\""),
            (false, _) => ("td", ""),
        };
        let class = if table.is_numeric(column) { "" } else { " class=\"words\"" };
        // Every cell of a marked column has room for a mark, so that the digits stay in line.
        let mark = table.is_marked(column);
        let _ = write!(out, "<{tag}{scope}{class}>{}</{tag}>", marked(cell, mark));
    }
    out.push_str("</tr>\n");
}

/// Colours the mark; the sign itself says the same without colour.
fn marked(cell: &str, room: bool) -> String {
    let escaped = escape(cell);
    for (sign, class) in [('▲', "better"), ('▼', "worse")] {
        if let Some(value) = escaped.strip_suffix(sign) {
            return format!("{value}<span class=\"mark {class}\">{sign}</span>");
        }
    }
    let mark = if room { "<span class=\"mark\"></span>" } else { "" };
    format!("{escaped}{mark}")
}

fn section(out: &mut String, comparison: &Comparison, set: &SetResult) {
    let _ = writeln!(out, "<section><h2>{}</h2>\n<div class=\"pair\">", escape(&set.name));
    lines::precision_recall(out, comparison, set);
    lines::ndcg_by_depth(out, comparison, set);
    out.push_str("</div>\n");
    let Some(baseline) = comparison.options.baseline else {
        out.push_str("</section>\n");
        return;
    };
    for (at, metric) in comparison.options.metrics.iter().enumerate() {
        let open = if at == 0 { " open" } else { "" };
        let _ = writeln!(
            out,
            "<details{open}><summary>{} by query, against {}</summary>",
            escape(&metric.to_string()),
            escape(&comparison.systems[baseline])
        );
        for system in (0..comparison.systems.len()).filter(|&system| system != baseline) {
            bars::chart(out, comparison, set, &bars::Pick { metric: at, system, baseline });
        }
        out.push_str("</details>\n");
    }
    out.push_str("</section>\n");
}
