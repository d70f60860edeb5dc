//! Differences by query as sorted bars, and the queries at both ends.

use std::fmt::Write;

use crate::compare::html::LISTED;
use crate::compare::html::svg::{Frame, escape};
use crate::compare::{Comparison, SetResult};

/// Which system is shown on which metric, against which.
pub(super) struct Pick {
    pub metric: usize,
    pub system: usize,
    pub baseline: usize,
}

struct Change<'a> {
    query: &'a str,
    before: f64,
    after: f64,
}

impl Change<'_> {
    fn difference(&self) -> f64 {
        self.after - self.before
    }

    /// A difference that four digits do not show is none.
    fn sign(&self) -> i8 {
        match self.difference() {
            d if d > 0.00005 => 1,
            d if d < -0.00005 => -1,
            _ => 0,
        }
    }
}

pub(super) fn chart(out: &mut String, comparison: &Comparison, set: &SetResult, pick: &Pick) {
    let changes = changes(set, pick);
    let count = |sign: i8| changes.iter().filter(|change| change.sign() == sign).count();
    let system = &comparison.systems[pick.system];
    let metric = comparison.options.metrics[pick.metric].to_string();
    let _ = writeln!(
        out,
        "<figure><figcaption>{}: difference in {} by query<span>{} queries higher, {} lower, {} \
         the same; each bar is a query, sorted</span></figcaption>",
        escape(system),
        escape(&metric),
        count(1),
        count(-1),
        count(0)
    );
    draw(out, set, &changes, &format!("{system}: difference in {metric} by query"));
    out.push_str("<div class=\"lists\">\n");
    let higher = changes.iter().filter(|change| change.sign() > 0);
    list(out, set, "Most gained", &higher.take(LISTED).collect::<Vec<_>>());
    let lower = changes.iter().rev().filter(|change| change.sign() < 0);
    list(out, set, "Most lost", &lower.take(LISTED).collect::<Vec<_>>());
    out.push_str("</div></figure>\n");
}

/// Returns the queries that both systems have, the largest gain first.
fn changes<'a>(set: &'a SetResult, pick: &Pick) -> Vec<Change<'a>> {
    let row = &set.metrics[pick.metric];
    let before = &row.per_query[pick.baseline].values;
    let mut changes: Vec<Change<'a>> = row.per_query[pick.system]
        .values
        .iter()
        .filter_map(|(query, &after)| {
            Some(Change { query: query.as_str(), before: *before.get(query)?, after })
        })
        .collect();
    changes.sort_by(|left, right| {
        right.difference().total_cmp(&left.difference()).then_with(|| left.query.cmp(right.query))
    });
    changes
}

fn draw(out: &mut String, set: &SetResult, changes: &[Change<'_>], label: &str) {
    let differences = || changes.iter().map(Change::difference);
    let (low, high) = (differences().fold(0.0, f64::min), differences().fold(0.0, f64::max));
    let room = ((high - low) * 0.06).max(0.01);
    let frame = Frame {
        width: 1080.0,
        height: 240.0,
        x: (0.0, changes.len().max(1) as f64),
        y: (low - room, high + room),
    };
    frame.open(out, label, ("queries, from most gained to most lost", "difference"), &[]);
    let zero = frame.y_at(0.0);
    let step = frame.x_at(1.0) - frame.x_at(0.0);
    // A gap between bars is worth its room only where bars are wide.
    let width = (step - if step > 4.0 { 1.0 } else { 0.0 }).min(40.0);
    for (at, change) in changes.iter().enumerate().filter(|(_, change)| change.sign() != 0) {
        let y = frame.y_at(change.difference());
        let class = if change.sign() > 0 { "up" } else { "down" };
        let text = set
            .texts
            .get(change.query)
            .map_or(String::new(), |text| format!(": {}", cut(text, 160)));
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{:.2}\" y=\"{:.2}\" width=\"{width:.2}\" height=\"{:.2}\">\
             <title>{} ({:.4} → {:.4}){}</title></rect>",
            frame.x_at(at as f64) + (step - width) / 2.0,
            y.min(zero),
            (y - zero).abs().max(0.5),
            escape(change.query),
            change.before,
            change.after,
            escape(&text)
        );
    }
    out.push_str("</svg>\n");
}

fn list(out: &mut String, set: &SetResult, title: &str, changes: &[&Change<'_>]) {
    let _ = write!(out, "<div><h3>{title}</h3>");
    if changes.is_empty() {
        out.push_str("<p class=\"count\">none</p></div>\n");
        return;
    }
    out.push_str(
        "<div class=\"scroll\"><table class=\"queries\"><thead><tr><th scope=\"col\">query</th>\
         <th scope=\"col\">before</th><th scope=\"col\">after</th><th scope=\"col\"></th></tr></thead><tbody>\n",
    );
    for change in changes {
        let text = set.texts.get(change.query).map_or("", String::as_str);
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{:.4}</td><td>{:.4}</td><td class=\"text\">{}</td></tr>",
            escape(change.query),
            change.before,
            change.after,
            escape(&cut(text, 300))
        );
    }
    out.push_str("</tbody></table></div></div>\n");
}

/// Cuts a text after some characters.
fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}
