//! What holds at scale: memory, pages and rates beside a million runs, and one queue beside the trouble of others. Each
//! file is one of them, with its target.

mod churn;
mod history;
mod isolation;
mod lists;
mod rates;
mod sleepers;
mod timers;

use clap::ValueEnum;
use comfy_table::Table;
use serde::Serialize;

use crate::Result;
use crate::database::{Db, Server};

/// Something that has to hold at scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
enum Scale {
    /// The memory of parked sleepers
    Sleepers,
    /// Timers that are due at once
    Timers,
    /// Pages of lists over ended runs, by every filter
    Lists,
    /// Starts and claims while ended runs lie in the tables
    Rates,
    /// Runs that come and go under a retention
    Churn,
    /// One-step runs of one queue beside the trouble of others
    Isolation,
}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// How many runs are many
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    runs: u32,
    /// Only this
    #[arg(long)]
    only: Option<Scale>,
    /// Only this database
    #[arg(long)]
    db: Option<Db>,
}

/// One number, and the most that it may be.
#[derive(Serialize)]
struct Finding {
    what: String,
    value: f64,
    unit: &'static str,
    at_most: Option<f64>,
}

impl Finding {
    fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Finding {
        Finding { what: what.into(), value, unit, at_most: None }
    }

    fn at_most(self, most: f64) -> Finding {
        Finding { at_most: Some(most), ..self }
    }
}

pub(crate) async fn measure(options: Options) -> Result<()> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["scale", "db", "what", "value", "target", ""]);
    for db in Db::ALL.into_iter().filter(|db| options.db.is_none_or(|only| only == *db)) {
        let server = Server::start(db)?;
        for scale in Scale::value_variants().iter().filter(|scale| options.only.is_none_or(|only| only == **scale)) {
            for finding in scale.measure(&server, options.runs).await? {
                if options.json {
                    println!("{}", serde_json::json!({ "scale": scale, "db": db, "found": finding }));
                }
                table.add_row(row(*scale, db, &finding));
            }
        }
    }
    if !options.json {
        println!("{table}");
    }
    Ok(())
}

impl Scale {
    async fn measure(self, server: &Server, runs: u32) -> Result<Vec<Finding>> {
        match self {
            Scale::Sleepers => sleepers::measure(server, runs).await,
            Scale::Timers => timers::measure(server).await,
            Scale::Lists => lists::measure(server, runs).await,
            Scale::Rates => rates::measure(server, runs).await,
            Scale::Churn => churn::measure(server, runs).await,
            Scale::Isolation => isolation::measure(server).await,
        }
    }
}

fn row(scale: Scale, db: Db, finding: &Finding) -> [String; 6] {
    let Finding { what, value, unit, at_most } = finding;
    let verdict = at_most.map_or("", |most| if *value <= most { "met" } else { "missed" });
    [
        format!("{scale:?}").to_lowercase(),
        format!("{db:?}").to_lowercase(),
        what.clone(),
        format!("{value:.3} {unit}"),
        at_most.map_or_else(String::new, |most| format!("≤ {most} {unit}")),
        verdict.to_owned(),
    ]
}
