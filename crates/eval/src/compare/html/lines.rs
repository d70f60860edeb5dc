//! The two line charts of a collection: precision by recall and nDCG by depth.

use std::fmt::Write;

use crate::compare::html::svg::{Frame, escape};
use crate::compare::{Comparison, Curves, SetResult};

/// Colours repeat after this many systems, with another dash.
const COLOURS: usize = 8;

struct Chart<'a> {
    title: &'a str,
    note: &'a str,
    titles: (&'a str, &'a str),
    x: (f64, f64),
    x_ticks: &'a [f64],
    /// The points of a system.
    points: fn(&Curves) -> Vec<(f64, f64)>,
}

pub(super) fn precision_recall(out: &mut String, comparison: &Comparison, set: &SetResult) {
    let rel = comparison.options.metrics[0].rel;
    let note = format!("interpolated, mean over queries; judged {rel} or more is relevant");
    let chart = Chart {
        title: "Precision by recall",
        note: &note,
        titles: ("recall", "precision"),
        x: (0.0, 1.0),
        x_ticks: &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
        points: |curves| {
            let last = (curves.precision.len() - 1) as f64;
            curves.precision.iter().enumerate().map(|(at, p)| (at as f64 / last, *p)).collect()
        },
    };
    draw(out, comparison, set, &chart);
}

pub(super) fn ndcg_by_depth(out: &mut String, comparison: &Comparison, set: &SetResult) {
    let chart = Chart {
        title: "nDCG by depth",
        note: "nDCG@k for k from 1 to 100, mean over queries",
        titles: ("k", "nDCG@k"),
        x: (1.0, 100.0),
        x_ticks: &[1.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0],
        points: |curves| {
            curves.ndcg.iter().enumerate().map(|(at, v)| (at as f64 + 1.0, *v)).collect()
        },
    };
    draw(out, comparison, set, &chart);
}

fn draw(out: &mut String, comparison: &Comparison, set: &SetResult, chart: &Chart<'_>) {
    let lines: Vec<Vec<(f64, f64)>> = set.curves.iter().map(chart.points).collect();
    let highest = lines.iter().flatten().map(|(_, y)| *y).fold(0.05, f64::max);
    // Up to the next tenth, so that the lines use the room.
    let top = ((highest * 10.0 - 1e-9).ceil() / 10.0).min(1.0);
    let frame = Frame { width: 520.0, height: 320.0, x: chart.x, y: (0.0, top) };
    let _ = writeln!(
        out,
        "<figure><figcaption>{}<span>{}</span></figcaption>",
        escape(chart.title),
        escape(chart.note)
    );
    legend(out, &comparison.systems);
    let label = format!("{} on {}", chart.title, set.name);
    frame.open(out, &label, chart.titles, chart.x_ticks);
    // The first systems are drawn last, so that the baseline is not covered.
    for (system, points) in lines.iter().enumerate().rev() {
        let path: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{:.1},{:.1}", frame.x_at(*x), frame.y_at(*y)))
            .collect();
        let _ = writeln!(
            out,
            "<polyline class=\"line {}\" points=\"{}\"><title>{}</title></polyline>",
            class(system),
            path.join(" "),
            escape(&comparison.systems[system])
        );
    }
    out.push_str("</svg></figure>\n");
}

fn legend(out: &mut String, systems: &[String]) {
    out.push_str("<ul class=\"legend\">");
    for (system, name) in systems.iter().enumerate() {
        let _ = write!(
            out,
            "<li><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\"><line class=\"line {}\" x1=\"1\" x2=\"25\" \
             y1=\"5\" y2=\"5\"/></svg>{}</li>",
            class(system),
            escape(name)
        );
    }
    out.push_str("</ul>\n");
}

fn class(system: usize) -> String {
    format!("s{} d{}", system % COLOURS, system / COLOURS % 4)
}
