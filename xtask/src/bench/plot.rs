//! The plot of docs/benchmarks.md, made from the record: queries per second against the size of a collection.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::table::Newest;

/// The workloads that measure it, and their titles.
const PANELS: [(&str, &str); 2] = [("bm25", "BM25"), ("sparse", "SPLADE")];
const METRIC: &str = "search: queries per second, top 10";
/// Ours is the first.
const COLOURS: [&str; 7] =
    ["#c22f2f", "#2f6fc2", "#3a8f4d", "#8a5bb5", "#b5822a", "#4aa3a3", "#777777"];
const OURS: &str = "ours";

const PANEL_WIDTH: f64 = 500.0;
const HEIGHT: f64 = 340.0;
/// Space around what is plotted: for numbers at the left, for names at the right, and so on.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 210.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// Documents and queries per second, by the name of the side.
type Series = BTreeMap<String, BTreeMap<u64, f64>>;

/// Draws what a machine's record says; `None` where no workload has been run at two sizes.
pub fn draw(newest: &Newest) -> Option<String> {
    let mut panels = Vec::new();
    for (workload, title) in PANELS {
        let series = series_of(newest, workload);
        if series.get(OURS).is_some_and(|points| points.len() > 1) {
            panels.push((title, series));
        }
    }
    if panels.is_empty() {
        return None;
    }
    let width = PANEL_WIDTH * panels.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" \
         height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (place, (title, series)) in panels.iter().enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate({} 0)\">", PANEL_WIDTH * place as f64);
        panel(&mut svg, title, series);
        svg += "</g>\n";
    }
    svg += "</svg>\n";
    Some(svg)
}

fn series_of(newest: &Newest, wanted: &str) -> Series {
    let mut series = Series::new();
    for ((workload, metric, peer), (_, row)) in newest {
        if let (true, Some(documents)) = (workload == wanted, documents_of(metric)) {
            series.entry(OURS.to_owned()).or_default().insert(documents, row.ours);
            series.entry(peer.clone()).or_default().insert(documents, row.theirs);
        }
    }
    series
}

/// The size of the collection where a metric is that of the plot.
fn documents_of(metric: &str) -> Option<u64> {
    let rest = metric.strip_prefix(METRIC)?;
    let rest = rest.strip_prefix(", 1 thread").unwrap_or(rest);
    rest.strip_prefix(", ")?.strip_suffix(" documents")?.parse().ok()
}

/// A logarithmic axis over whole powers of ten.
struct Axis {
    first: i32,
    last: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (least, most) = values.fold((f64::INFINITY, 0.0f64), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        let first = least.log10().floor() as i32;
        Self { first, last: (most.log10().ceil() as i32).max(first + 1), from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        self.from + share * (self.to - self.from)
    }

    /// The powers of ten, with their places.
    fn ticks(&self) -> impl Iterator<Item = (i32, f64)> + '_ {
        (self.first..=self.last).map(|power| (power, self.place(10f64.powi(power))))
    }
}

fn superscript(number: i32) -> String {
    let of = |c: char| match c.to_digit(10) {
        Some(digit) => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize],
        None => '⁻',
    };
    number.to_string().chars().map(of).collect()
}

fn panel(svg: &mut String, title: &str, series: &Series) {
    let points = || series.values().flatten();
    let (right, bottom) = (PANEL_WIDTH - RIGHT, HEIGHT - BOTTOM);
    let across = Axis::around(points().map(|(&documents, _)| documents as f64), LEFT, right);
    let up = Axis::around(points().map(|(_, &rate)| rate), bottom, TOP);
    let middle = f64::midpoint(LEFT, right);
    let mut text = |x: f64, y: f64, anchor: &str, text: &str| {
        // Writing to a string cannot fail.
        let _ =
            writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
    };
    text(middle, TOP - 18.0, "middle", &format!("{title}: queries per second, top 10, 1 thread"));
    text(middle, HEIGHT - 14.0, "middle", "documents");
    let power = |power: i32| format!("10{}", superscript(power));
    for (exponent, x) in across.ticks() {
        text(x, bottom + 18.0, "middle", &power(exponent));
    }
    for (exponent, y) in up.ticks() {
        text(LEFT - 8.0, y + 4.0, "end", &power(exponent));
    }
    let mut line = |(x1, y1): (f64, f64), (x2, y2): (f64, f64)| {
        let _ = writeln!(
            svg,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#dddddd\"/>"
        );
    };
    for (_, x) in across.ticks() {
        line((x, TOP), (x, bottom));
    }
    for (_, y) in up.ticks() {
        line((LEFT, y), (right, y));
    }
    let ours = series.iter().filter(|(name, _)| *name == OURS);
    let others = series.iter().filter(|(name, _)| *name != OURS);
    for (place, (name, points)) in ours.chain(others).enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let at =
            |(&documents, &rate): (&u64, &f64)| (across.place(documents as f64), up.place(rate));
        let corners: Vec<String> =
            points.iter().map(at).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\"/>",
            corners.join(" ")
        );
        for (x, y) in points.iter().map(at) {
            let _ =
                writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.6\" fill=\"{colour}\"/>");
        }
        let (x, y) = (right + 12.0, TOP + 6.0 + 18.0 * place as f64);
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{}</text>",
            name.replace('&', "&amp;").replace('<', "&lt;")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::sample;
    use super::*;

    fn newest(sizes: &[u64]) -> Newest {
        let mut newest = Newest::new();
        for (place, size) in sizes.iter().enumerate() {
            let metric = format!("{METRIC}, {size} documents");
            let mut row = sample(&metric, 1.0);
            row.ours = 10_000.0 / 10f64.powi(place as i32);
            row.theirs = 500.0;
            let key = (row.workload.clone(), metric, row.peer.clone());
            newest.insert(key, ("2026-01-01".to_owned(), row));
        }
        newest
    }

    #[test]
    fn metrics_of_several_sizes_are_told_from_others() {
        assert_eq!(documents_of(&format!("{METRIC}, 1 thread, 10000 documents")), Some(10_000));
        assert_eq!(documents_of(&format!("{METRIC}, 100 documents")), Some(100));
        for other in [
            METRIC,
            &format!("{METRIC}00, 1 documents"),
            &format!("{METRIC}, 2 threads, 9 documents"),
        ] {
            assert_eq!(documents_of(other), None, "{other}");
        }
    }

    #[test]
    fn curves_run_from_the_smallest_to_the_largest_collection() {
        assert_eq!(draw(&newest(&[])), None);
        assert_eq!(draw(&newest(&[100])), None);
        let svg = draw(&newest(&[100, 1000])).unwrap();
        // 10,000 and 1,000 of ours are the top of the panel and two thirds down to the 100 at its bottom.
        assert!(svg.contains("points=\"60.0,40.0 290.0,165.0\""), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains(">tantivy 0.27</text>"));
        assert!(svg.contains(">10⁴</text>"));
        assert_eq!(superscript(-13), "⁻¹³");
        assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
    }
}
