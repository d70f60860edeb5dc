//! A plot frame in SVG: scales, grid, axes and their titles.

use std::fmt::Write;

/// Returns text that is safe between tags and in quoted attributes. Characters that no HTML page may
/// hold are left out.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => {}
            c => out.push(c),
        }
    }
    out
}

/// A rectangle of the drawing with the ranges of values that it shows.
pub(super) struct Frame {
    pub width: f64,
    pub height: f64,
    pub x: (f64, f64),
    pub y: (f64, f64),
}

const LEFT: f64 = 48.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;

impl Frame {
    pub fn x_at(&self, value: f64) -> f64 {
        let share = (value - self.x.0) / (self.x.1 - self.x.0);
        LEFT + share * (self.width - LEFT - RIGHT)
    }

    pub fn y_at(&self, value: f64) -> f64 {
        let share = (value - self.y.0) / (self.y.1 - self.y.0);
        self.height - BOTTOM - share * (self.height - TOP - BOTTOM)
    }

    /// Opens the drawing and draws grid, ticks and titles.
    pub fn open(&self, out: &mut String, label: &str, titles: (&str, &str), x_ticks: &[f64]) {
        let (width, height) = (self.width, self.height);
        let _ = writeln!(
            out,
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
            escape(label)
        );
        let (left, right) = (LEFT, width - RIGHT);
        for tick in ticks(self.y) {
            let y = self.y_at(tick.value);
            let class = if tick.value == 0.0 { "axis" } else { "grid" };
            let _ = writeln!(
                out,
                "<line class=\"{class}\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 6.0,
                y + 4.0,
                tick.label
            );
        }
        for &tick in x_ticks {
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
                self.x_at(tick),
                height - BOTTOM + 16.0
            );
        }
        let middle = TOP + (height - TOP - BOTTOM) / 2.0;
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(11 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            left.midpoint(right),
            height - 6.0,
            escape(titles.0),
            escape(titles.1)
        );
    }
}

struct Tick {
    value: f64,
    label: String,
}

/// Returns some four to eight round values within a range.
fn ticks((low, high): (f64, f64)) -> Vec<Tick> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough);
    let step = step.unwrap_or(power * 10.0);
    let digits = (-step.log10().floor()).clamp(0.0, 8.0) as usize;
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last)
        .map(|at| {
            let value = at as f64 * step;
            let label = format!("{value:.digits$}").replace('-', "−");
            Tick { value, label }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let labels = |range| ticks(range).into_iter().map(|tick| tick.label).collect::<Vec<_>>();
        assert_eq!(labels((0.0, 1.0)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels((-0.5, 1.0)), ["−0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels((0.0, 500.0)), ["0", "100", "200", "300", "400", "500"]);
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<a href='x'>&\"\u{0}\n"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\n");
    }
}
