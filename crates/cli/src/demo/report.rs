//! The result of the demo, for people and for programs.

use std::fmt;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::output;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) files: usize,
    /// Files that could not be read in the first place.
    pub(super) files_left_out: usize,
    /// Files that somebody changed meanwhile.
    pub(super) files_changed: usize,
    pub(super) bytes: u64,
    pub(super) bytes_archived: u64,
    pub(super) runs: usize,
    pub(super) runs_recovered: usize,
    pub(super) steps: usize,
    pub(super) bodies: usize,
    /// Bodies that ran again because the kill came before their record.
    pub(super) bodies_again: usize,
    /// Bodies that ran again because their executor, too slow for its lease, had to give their run up.
    pub(super) bodies_after_lost_lease: usize,
    pub(super) kills: usize,
    /// Steps that were seen recorded right after a kill, all kills together.
    pub(super) seen_at_kills: usize,
    pub(super) seconds: f64,
    /// Whether the proof holds.
    pub(super) proven: bool,
    /// What is not as it has to be.
    pub(super) broken: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, archived) = (HumanBytes(self.bytes), HumanBytes(self.bytes_archived));
        let seconds = output::duration(Duration::from_secs_f64(self.seconds));
        fact(f, "files", self.files, format_args!("{bytes} of source, {archived} in the archive"))?;
        fact(f, "runs", self.runs, format_args!("{} of them recovered after a kill", self.runs_recovered))?;
        fact(f, "steps", self.steps, "recorded")?;
        fact(f, "kills", self.kills, "with SIGKILL, in the middle of the work")?;
        writeln!(f, "{:<8}{seconds:>10}", "took")?;
        for broken in self.broken.iter().take(20) {
            writeln!(f, "BROKEN: {broken}")?;
        }
        if !self.proven {
            return write!(f, "\nThe proof does not hold: {} things are not as they have to be", self.broken.len());
        }
        writeln!(f, "\nProven:")?;
        writeln!(f, "- Every file is there, byte for byte: unpacked, hashed, and compared with the source.")?;
        if self.files_changed > 0 {
            writeln!(f, "  {} were changed meanwhile, and compared with their hash alone.", self.files_changed)?;
        }
        if self.files_left_out > 0 {
            writeln!(f, "  {} could not be read in the first place, and are not in it.", self.files_left_out)?;
        }
        writeln!(
            f,
            "- Every run succeeded, and no recorded step ran again: no body began after its record, and none of"
        )?;
        writeln!(f, "  the steps seen recorded right after a kill ({}) ran in a later executor.", seen(self))?;
        write!(f, "- Bodies that ran again because the kill came before their record: {}", self.bodies_again)?;
        if self.bodies_after_lost_lease > 0 {
            let lost = self.bodies_after_lost_lease;
            write!(f, "\n  and because an executor had lost its lease before their record: {lost}")?;
        }
        Ok(())
    }
}

fn fact(f: &mut fmt::Formatter<'_>, name: &str, count: usize, about: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<8}{:>10}  {about}", HumanCount(count as u64).to_string())
}

fn seen(report: &Report) -> HumanCount {
    HumanCount(report.seen_at_kills as u64)
}
