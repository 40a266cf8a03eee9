//! The same as a drawing: a panel for each job, a bar for each engine, on a scale on which each line is ten times the one
//! before.

use std::fmt::Write;

use onward_contest::Job;

use super::page::figures;
use super::results::{Metric, Results, Spread};
use super::subject::{Keeps, Subject};

const WIDTH: f64 = 760.0;
/// Where bars begin, and how far they may reach; their numbers stand behind them.
const LEFT: f64 = 170.0;
const RIGHT: f64 = 640.0;
const BAR: f64 = 16.0;
const ROW: f64 = 22.0;
const HEAD: f64 = 50.0;
const FOOT: f64 = 34.0;

struct Panel {
    job: Job,
    metric: Metric,
    title: &'static str,
}

const PANELS: [Panel; 4] = [
    Panel { job: Job::A, metric: Metric::Rate, title: "a: steps a second, one run of 1,000 steps (more is better)" },
    Panel {
        job: Job::B,
        metric: Metric::Rate,
        title: "b: runs a second, 1,000 runs of 5 steps at once (more is better)",
    },
    Panel { job: Job::C, metric: Metric::Rate, title: "c: runs a second through a queue (more is better)" },
    Panel {
        job: Job::D,
        metric: Metric::P50,
        title: "d: milliseconds from start to result, idle, p50 (less is better)",
    },
];

/// All panels that were measured, one below the other.
pub(crate) fn draw(results: &Results) -> String {
    let mut body = String::new();
    let mut top = 0.0;
    for panel in &PANELS {
        let bars: Vec<(Subject, Spread)> = results
            .subjects
            .iter()
            .filter_map(|subject| Some((*subject, results.spread(*subject, panel.job, panel.metric)?)))
            .collect();
        if !bars.is_empty() {
            top += draw_panel(&mut body, panel, &bars, top);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" width=\"{WIDTH}\" height=\"{top}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{top}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

/// Draw a panel at this height; gives its own.
fn draw_panel(out: &mut String, panel: &Panel, bars: &[(Subject, Spread)], top: f64) -> f64 {
    let values = || bars.iter().map(|(_, spread)| spread.median);
    // Bars begin a power of ten below the least of them: on such a scale there is no nought.
    let from = values().fold(f64::INFINITY, f64::min).log10().floor();
    let from = if values().any(|value| value.log10() - from < 0.15) { from - 1.0 } else { from };
    let to = values().fold(0.0, f64::max).log10().ceil().max(from + 1.0);
    let x = |value: f64| LEFT + (value.log10() - from) / (to - from) * (RIGHT - LEFT);
    let bottom = top + HEAD + ROW * bars.len() as f64;

    line(
        out,
        &format!("<text x=\"16\" y=\"{}\" font-weight=\"600\" fill=\"#1a1a1a\">{}</text>", top + 30.0, panel.title),
    );
    for power in from as i32..=to as i32 {
        let (at, y) = (x(10_f64.powi(power)), bottom + 16.0);
        let above = top + HEAD - 6.0;
        line(out, &format!("<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{above}\" y2=\"{bottom}\" stroke=\"#d8d8d8\"/>"));
        let label = label(power);
        line(
            out,
            &format!(
                "<text x=\"{at:.1}\" y=\"{y}\" font-size=\"11\" fill=\"#666666\" text-anchor=\"middle\">{label}</text>"
            ),
        );
    }
    for (row, (subject, spread)) in bars.iter().enumerate() {
        let y = top + HEAD + ROW * row as f64;
        let (end, text) = (x(spread.median), y + BAR - 4.0);
        line(
            out,
            &format!(
                "<text x=\"{}\" y=\"{text}\" fill=\"#1a1a1a\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                name(*subject)
            ),
        );
        let (width, fill) = (end - LEFT, colour(*subject));
        line(
            out,
            &format!("<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{fill}\"/>"),
        );
        line(
            out,
            &format!("<text x=\"{:.1}\" y=\"{text}\" fill=\"#1a1a1a\">{}</text>", end + 6.0, figures(spread.median)),
        );
    }
    HEAD + ROW * bars.len() as f64 + FOOT
}

fn line(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("a string takes all that is written");
}

fn label(power: i32) -> String {
    if power < 0 {
        format!("{}", 10_f64.powi(power))
    } else {
        figures(10_f64.powi(power)).replace(".00", "").replace(".0", "")
    }
}

fn name(subject: Subject) -> String {
    let engine = if subject.engine == "onward" { "Onward" } else { subject.engine };
    match subject.keeps {
        Keeps::Own => engine.to_owned(),
        keeps => format!("{engine}, {keeps}"),
    }
}

fn colour(subject: Subject) -> &'static str {
    match subject.engine {
        "onward" => "#0b6e4f",
        "raw" => "#c4c4c4",
        _ => "#7a8ca8",
    }
}
