//! What the supervisor prints in the end.

use std::fmt::Write;
use std::time::Duration;

use crate::book::Book;
use crate::faults::Thrown;
use crate::fleet::Fleet;
use crate::stage::{Kind, Stage};
use crate::verify::Findings;

/// So many violations are printed in full.
const SHOWN: usize = 5;

pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    pub(crate) disturbed: Duration,
    pub(crate) drained: Duration,
    pub(crate) thrown: Thrown,
    pub(crate) findings: Findings,
}

impl Report {
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.violations.is_empty()
    }

    pub(crate) fn text(&self, book: &Book, fleet: &Fleet, stage: &Stage) -> String {
        let Report { seed, kind, disturbed, drained, thrown, findings } = self;
        let deaths = fleet.history().deaths.clone();
        let kills: u32 = deaths.iter().filter(|(cause, _)| *cause != "by a shutdown").map(|(_, count)| count).sum();
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            writeln!(text, "{name:<12} {value}").ok();
        };
        line("seed", format!("{seed} on {kind:?}, disturbed for {disturbed:.1?}, drained in {drained:.1?}"));
        line(
            "runs",
            format!(
                "{} accepted, {} with their children: {} succeeded, {} failed, {} cancelled",
                book.all().len(),
                findings.runs,
                findings.succeeded,
                findings.failed,
                findings.cancelled
            ),
        );
        line("steps", format!("{} recorded, {} bodies begun", findings.steps, findings.bodies));
        line("steered", format!("{:?}; {} waited in queues and were left alone", book.notes(), findings.queued));
        let talk: Vec<String> = findings.talk.iter().map(|(what, count)| format!("{count} {what}")).collect();
        line("talk", talk.join(", "));
        line("beside", findings.beside.join("; "));
        line("kills", format!("{kills}: {deaths:?}"));
        line(
            "freezes",
            format!("{}, outages {}, locks held by others {}", thrown.freezes, thrown.outages, thrown.locks),
        );
        line(
            "recoveries",
            format!(
                "{} changes of owner, {} bodies interrupted, {} overlaps on thawed machines",
                findings.recoveries, findings.interrupted, findings.overlaps
            ),
        );
        line("violations", findings.violations.len().to_string());
        for violation in findings.violations.iter().take(SHOWN) {
            line("", violation.clone());
        }
        if !self.is_clean() {
            let all = stage.folder.join("violations.txt");
            if let Err(error) = std::fs::write(&all, findings.violations.join("\n\n")) {
                line("", format!("(not all of them could be kept: {error})"));
            }
            line("kept", format!("{}; the database of PostgreSQL is gone", stage.folder.display()));
        }
        text
    }
}
