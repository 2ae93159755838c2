//! Curves: what a training measured, as one HTML page without anything outside of it.

use std::fmt::Write;

use crate::train::{Goal, History};

/// Inner width and height of a chart, and its margins, in pixels.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 70.0;
const BELOW: f64 = 32.0;

/// Points that a line keeps: more would only be drawn over each other.
const POINTS_MAX: usize = 600;

/// One line of a chart.
struct Line {
    name: String,
    colour: &'static str,
    points: Vec<(f64, f64)>,
}

/// The page of a training.
#[must_use]
pub fn page(title: &str, history: &History, goal: Goal) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\n\
         <style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:46rem;\
         color:#222}}svg{{width:100%;height:auto}}td,th{{padding:.15rem .8rem;text-align:right}}\
         text{{font-size:12px;fill:#555}}h2{{font-size:1.1rem}}</style>\n<h1>{title}</h1>\n",
        title = escape(title),
    );
    let steps = history.rows.last().map_or(0, |row| row.step);
    let _ = writeln!(page, "<p>{steps} steps, {} evaluations.</p>", history.evaluations.len());
    if let Some((best, _)) = history.best(goal) {
        let name = escape(goal.name());
        let value = best.values.get(goal.name()).copied().unwrap_or(f64::NAN);
        let _ = writeln!(page, "<p>Best {name}: <b>{value:.5}</b> after step {}.</p>", best.step);
    }
    let losses = Line {
        name: "training loss, mean of neighbours".into(),
        colour: "#3465a4",
        points: thinned(&history.series("loss")),
    };
    let evaluated = Line {
        name: "evaluation loss".into(),
        colour: "#cc3333",
        points: history.evaluated("loss"),
    };
    chart(&mut page, "Loss", &[losses, evaluated]);
    let numbers = history.evaluations.first().map(|own| own.values.keys());
    for name in numbers.into_iter().flatten().filter(|name| *name != "loss") {
        let points = history.evaluated(name);
        let line = Line { name: format!("evaluation {name}"), colour: "#cc3333", points };
        chart(&mut page, name, &[line]);
    }
    for name in history.names.iter().filter(|name| *name != "loss") {
        let line =
            Line { name: name.clone(), colour: "#3465a4", points: thinned(&history.series(name)) };
        chart(&mut page, name, &[line]);
    }
    table(&mut page, history);
    page.push_str("</html>\n");
    page
}

/// The evaluations as a table.
fn table(page: &mut String, history: &History) {
    let Some(first) = history.evaluations.first() else { return };
    page.push_str("<h2>Evaluations</h2>\n<table><tr><th>step");
    first.values.keys().for_each(|name| page.extend(["<th>", &escape(name)]));
    for own in &history.evaluations {
        let _ = write!(page, "\n<tr><td>{}", own.step);
        own.values.values().for_each(|value| page.push_str(&format!("<td>{value:.5}")));
    }
    page.push_str("\n</table>\n");
}

/// Means of neighbours, at most [`POINTS_MAX`].
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = points.len().div_ceil(POINTS_MAX).max(1);
    let mean = |part: &[(f64, f64)]| {
        let count = part.len() as f64;
        let sum = part.iter().fold((0.0, 0.0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
        (sum.0 / count, sum.1 / count)
    };
    points.chunks(size).map(mean).collect()
}

fn chart(page: &mut String, title: &str, lines: &[Line]) {
    let points = || lines.iter().flat_map(|line| &line.points);
    let finite = || points().filter(|(x, y)| x.is_finite() && y.is_finite());
    if finite().next().is_none() {
        return;
    }
    let range = |of: fn(&(f64, f64)) -> f64| {
        let ends = finite().map(of).fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
        if ends.0 == ends.1 { (ends.0 - 0.5, ends.1 + 0.5) } else { ends }
    };
    let ((x0, x1), (y0, y1)) = (range(|point| point.0), range(|point| point.1));
    let across = |x: f64| LEFT + (x - x0) / (x1 - x0) * WIDTH;
    let down = |y: f64| 8.0 + (y1 - y) / (y1 - y0) * HEIGHT;
    let (right, bottom) = (LEFT + WIDTH, 8.0 + HEIGHT);
    let _ = writeln!(
        page,
        "<h2>{}</h2>\n<svg viewBox=\"0 0 {} {}\" role=\"img\">",
        escape(title),
        right + 12.0,
        bottom + BELOW,
    );
    for part in 0..=4 {
        let y = y0 + (y1 - y0) * f64::from(part) / 4.0;
        let x = x0 + (x1 - x0) * f64::from(part) / 4.0;
        let (at, below) = (down(y), bottom + 18.0);
        let _ = writeln!(
            page,
            "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#ddd\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <text x=\"{:.1}\" y=\"{below}\" text-anchor=\"middle\">{x:.0}</text>",
            LEFT - 6.0,
            at + 4.0,
            short(y),
            across(x),
        );
    }
    for (row, line) in lines.iter().enumerate() {
        let at = |(index, (x, y)): (usize, &(f64, f64))| {
            let letter = if index == 0 { 'M' } else { 'L' };
            format!("{letter}{:.1} {:.1}", across(*x), down(*y))
        };
        let shown = line.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        let path: String = shown.enumerate().map(at).collect();
        let (colour, height) = (line.colour, 22.0 + 16.0 * row as f64);
        let name = escape(&line.name);
        let _ = writeln!(
            page,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>\
             <text x=\"{:.0}\" y=\"{height}\" text-anchor=\"end\" style=\"fill:{colour}\">{name}\
             </text>",
            right - 8.0,
        );
    }
    page.push_str("</svg>\n");
}

/// A number of about four digits.
fn short(value: f64) -> String {
    if value == 0.0 || (1e-3..1e5).contains(&value.abs()) {
        let digits = 3 - value.abs().max(1e-3).log10().floor() as i32;
        return format!("{value:.*}", digits.clamp(0, 6) as usize);
    }
    format!("{value:.1e}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::train::{Evaluation, Row};

    #[test]
    fn the_page_shows_every_number_and_nothing_from_outside() {
        let values = BTreeMap::from([("accuracy".to_owned(), 0.75), ("loss".to_owned(), 0.5)]);
        let history = History {
            names: vec!["loss".into(), "rate".into()],
            rows: (1..=2000).map(|step| Row { step, values: vec![0.5, 0.1] }).collect(),
            evaluations: vec![Evaluation { step: 2000, values }],
        };
        let page = page("a <b>", &history, Goal::Highest("accuracy"));
        assert_eq!(page.matches("<svg").count(), 3, "loss, accuracy, rate");
        assert!(page.contains("a &lt;b&gt;") && page.contains("0.75000"));
        assert!(!page.contains("http") && !page.contains("<script"));
        assert!(page.len() < 60_000, "long series are thinned: {}", page.len());
    }
}
