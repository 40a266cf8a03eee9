//! The result of the demo, for people and for programs.

use std::fmt;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::output;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) files: usize,
    /// Files that could not be read.
    pub(super) files_left_out: usize,
    /// Files that were changed meanwhile.
    pub(super) files_changed: usize,
    pub(super) bytes: u64,
    pub(super) bytes_archived: u64,
    pub(super) runs: usize,
    pub(super) runs_recovered: usize,
    pub(super) steps: usize,
    pub(super) bodies: usize,
    /// Bodies that ran again because the kill came before their result was recorded.
    pub(super) bodies_again: usize,
    /// Bodies that ran again because their executor was too slow and lost its lease.
    pub(super) bodies_after_lost_lease: usize,
    pub(super) kills: usize,
    /// Steps that were on record after a kill, summed over the kills: one on record at three kills counts three times.
    pub(super) seen_at_kills: usize,
    pub(super) took_ms: u64,
    /// Whether the proof holds.
    pub(super) proven: bool,
    /// The violations.
    pub(super) broken: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, archived) = (HumanBytes(self.bytes), HumanBytes(self.bytes_archived));
        let took = output::duration(Duration::from_millis(self.took_ms));
        fact(f, "files", self.files, format_args!("{bytes} of source, {archived} in the archive"))?;
        fact(f, "runs", self.runs, format_args!("{} of them recovered after a kill", self.runs_recovered))?;
        fact(f, "steps", self.steps, "recorded")?;
        fact(f, "kills", self.kills, "with SIGKILL, in the middle of the work")?;
        writeln!(f, "{:<8}{took:>10}", "took")?;
        for broken in self.broken.iter().take(20) {
            writeln!(f, "BROKEN: {broken}")?;
        }
        if !self.proven {
            return write!(f, "\nThe proof does not hold: {} violations", self.broken.len());
        }
        writeln!(f, "\nProven:")?;
        writeln!(f, "- Every file is there, byte for byte: unpacked, hashed, and compared with the source.")?;
        if self.files_changed > 0 {
            writeln!(f, "  {} were changed meanwhile, and compared only with their hash.", self.files_changed)?;
        }
        if self.files_left_out > 0 {
            writeln!(f, "  {} could not be read, and are not in the archive.", self.files_left_out)?;
        }
        write!(f, "- Every run succeeded, and no recorded step ran again: no body began after its record")?;
        if self.kills > 0 {
            let (when, seen) = (after_each(self.kills), HumanCount(self.seen_at_kills as u64));
            write!(f, ", and none\n  of the steps that were on record at a kill, looked up after {when}")?;
            write!(f, "\n  ({seen} look-ups), ran in a later executor")?;
        }
        writeln!(f, ".")?;
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

fn after_each(kills: usize) -> String {
    if kills == 1 { "the kill".to_owned() } else { format!("each of the {kills} kills") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(kills: usize) -> Report {
        Report {
            files: 504,
            files_left_out: 0,
            files_changed: 0,
            bytes: 1,
            bytes_archived: 1,
            runs: 505,
            runs_recovered: 9,
            steps: 2_521,
            bodies: 2_530,
            bodies_again: 9,
            bodies_after_lost_lease: 0,
            kills,
            seen_at_kills: 1_260 * kills,
            took_ms: 1_000,
            proven: true,
            broken: Vec::new(),
        }
    }

    #[test]
    fn look_ups_at_several_kills_are_not_taken_for_steps() {
        let [none, one, three] = [0, 1, 3].map(|kills| report(kills).to_string().replace("\n  ", " "));
        assert!(
            three.contains("looked up after each of the 3 kills (3,780 look-ups), ran in a later executor."),
            "{three}"
        );
        assert!(one.contains("looked up after the kill (1,260 look-ups), ran"), "{one}");
        assert!(none.contains("no body began after its record.\n"), "{none}");
    }
}
