//! What was measured, as JSON lines or as a table beside the targets.

use comfy_table::Table;
use serde::Serialize;

use crate::Result;
use crate::database::Db;
use crate::jobs::Bench;
use crate::sample::Sample;
use crate::statistics::median;

/// The medians of all rounds. The ratio is value / raw, taken within each round.
#[derive(Serialize)]
struct Measure {
    bench: Bench,
    db: Db,
    metric: &'static str,
    value: f64,
    unit: &'static str,
    raw: Option<f64>,
    ratio: Option<f64>,
}

/// What the design asks for.
enum Target {
    RatioAtLeast(f64),
    RatioAtMost(f64),
    AtMost(f64),
}

impl Target {
    fn of(bench: Bench, metric: &str) -> Option<Target> {
        match (bench, metric) {
            (Bench::SaturatedRuns, _) => Some(Target::RatioAtLeast(0.5)),
            (Bench::SequentialSteps, "per_step") => Some(Target::RatioAtMost(1.15)),
            (Bench::IdleStartToResult, "p50") => Some(Target::RatioAtMost(2.3)),
            (Bench::Hooks, "with_metrics_read") => Some(Target::RatioAtLeast(0.95)),
            (Bench::Step10000, _) => Some(Target::RatioAtMost(1.2)),
            // The target is for ten times as many.
            (Bench::ParkedMemory, "resident") => Some(Target::AtMost(512.0)),
            _ => None,
        }
    }

    fn judge(&self, measure: &Measure) -> (String, bool) {
        let ratio = measure.ratio.unwrap_or(f64::NAN);
        match self {
            Target::RatioAtLeast(least) => (format!("≥ {least} × raw"), ratio >= *least),
            Target::RatioAtMost(most) => (format!("≤ {most} × raw"), ratio <= *most),
            Target::AtMost(most) => (format!("≤ {most} {}", measure.unit), measure.value <= *most),
        }
    }
}

pub(crate) struct Report {
    json: bool,
    table: Table,
}

impl Report {
    pub(crate) fn new(json: bool) -> Report {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["bench", "db", "metric", "value", "raw", "ratio", "target", ""]);
        Report { json, table }
    }

    /// Add the samples of all rounds: each round has the same metrics in the same order.
    pub(crate) fn add(&mut self, bench: Bench, db: Db, rounds: Vec<Vec<Sample>>) -> Result<()> {
        let metrics = rounds.first().map_or(0, Vec::len);
        for at in 0..metrics {
            let samples = || rounds.iter().map(|round| &round[at]);
            let Sample { metric, unit, .. } = rounds[0][at];
            let measure = Measure {
                bench,
                db,
                metric,
                value: rounded(median(samples().map(|sample| sample.value))),
                unit,
                raw: some(median(samples().filter_map(|sample| sample.raw))),
                ratio: some(median(samples().filter_map(|sample| sample.raw.map(|raw| sample.value / raw)))),
            };
            if self.json {
                println!("{}", serde_json::to_string(&measure)?);
            } else {
                self.add_row(&measure);
            }
        }
        Ok(())
    }

    fn add_row(&mut self, measure: &Measure) {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value} {}", measure.unit));
        let (target, verdict) = match Target::of(measure.bench, measure.metric).map(|target| target.judge(measure)) {
            Some((target, true)) => (target, "met"),
            Some((target, false)) => (target, "missed"),
            None => (String::new(), ""),
        };
        self.table.add_row([
            name(measure.bench),
            name(measure.db),
            measure.metric.to_owned(),
            number(Some(measure.value)),
            number(measure.raw),
            measure.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            target,
            verdict.to_owned(),
        ]);
    }

    pub(crate) fn finish(self) {
        if !self.json {
            println!("{}", self.table);
        }
    }
}

/// The name of a value as it stands in the JSON.
fn name(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn some(value: f64) -> Option<f64> {
    (!value.is_nan()).then(|| rounded(value))
}

/// Four significant figures: more would only be noise.
fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return value;
    }
    let scale = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}
