//! The proof: every file is there byte for byte, and no recorded step ran again.
//!
//! It compares the archive, the log of what really ran and the records of the database with each other, and trusts none of them alone.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::time::SystemTime;

use super::archive::{Archive, Entry, Summary, sha256};
use super::evidence::{Journal, Witness};
use super::files::Files;
use super::log::{Line, Mark, StepOf};
use super::workflows::STEPS;

/// The result for the files.
#[derive(Debug, Default)]
pub(super) struct OfFiles {
    /// Files that were changed while the demo ran: they were compared only with their hash.
    pub(super) changed: usize,
    /// The violations, a sentence each.
    pub(super) broken: Vec<String>,
}

/// The result for the steps.
#[derive(Debug, Default)]
pub(super) struct OfSteps {
    /// The number of step bodies that began.
    pub(super) bodies: usize,
    /// The number of them that ran again in a later executor, because the kill came before their result was recorded.
    pub(super) again: usize,
    /// The number of them that ran again in the same process, because its executor had lost its lease.
    pub(super) after_lost_lease: usize,
    /// The violations, a sentence each.
    pub(super) broken: Vec<String>,
}

/// Compares the archive with the source.
pub(super) fn of_files(archive: &Archive, files: &Files, began: SystemTime) -> io::Result<OfFiles> {
    let mut proof = OfFiles::default();
    let entries = archive.entries()?;
    let recorded: HashMap<&str, &Entry> = entries.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    if recorded.len() != entries.len() || entries.len() != files.paths.len() {
        let (entries, files) = (entries.len(), files.paths.len());
        proof.broken.push(format!("the manifest has {entries} entries for {files} files"));
    }
    if archive.summary()? != Summary::of(&entries) {
        proof.broken.push("the summary does not match the manifest".to_owned());
    }
    for path in &files.paths {
        let Some(entry) = recorded.get(path.as_str()) else {
            proof.broken.push(format!("`{path}` is not in the manifest"));
            continue;
        };
        if sha256(archive.restore(&entry.sha256)?)? != entry.sha256 {
            proof.broken.push(format!("the archived copy of `{path}` does not have its recorded hash"));
        }
        match same_as_source(archive, entry, &files.source.join(path)) {
            Ok(true) => {}
            _ if changed_since(&files.source.join(path), began) => proof.changed += 1,
            Ok(false) => proof.broken.push(format!("the archived copy of `{path}` differs from the file")),
            Err(error) => proof.broken.push(format!("`{path}` cannot be compared: {error}")),
        }
    }
    Ok(proof)
}

fn same_as_source(archive: &Archive, entry: &Entry, source: &Path) -> io::Result<bool> {
    let source = File::open(source)?;
    let same_size = source.metadata()?.len() == entry.bytes;
    Ok(same_size && same(archive.restore(&entry.sha256)?, source)?)
}

fn same(a: impl Read, b: impl Read) -> io::Result<bool> {
    let (mut a, mut b) = (BufReader::new(a).bytes(), BufReader::new(b).bytes());
    loop {
        match (a.next().transpose()?, b.next().transpose()?) {
            (None, None) => return Ok(true),
            (one, other) if one != other => return Ok(false),
            _ => {}
        }
    }
}

/// A file that no longer exists counts as changed.
fn changed_since(source: &Path, began: SystemTime) -> bool {
    let modified = source.metadata().and_then(|metadata| metadata.modified());
    modified.map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |modified| modified >= began)
}

/// In microseconds. The log is written by the clock of this machine and the journal, on PostgreSQL, by that of the database as far
/// as the executor knows it. A run is taken over seconds after its last record, so a step that runs again is later than this.
const CLOCKS: i64 = 100_000;

/// Compares the steps that ran with the recorded ones.
pub(super) fn of_steps(lines: &[Line], journal: &Journal, witnesses: &[Witness]) -> OfSteps {
    let mut proof = OfSteps::default();
    let begins: Vec<&Line> = lines.iter().filter(|line| line.mark == Mark::Begin).collect();
    let ended: HashSet<StepOf> = lines.iter().filter(|line| line.mark == Mark::End).map(Line::step_of).collect();
    let begun: HashSet<StepOf> = begins.iter().map(|line| line.step_of()).collect();
    proof.bodies = begins.len();
    let in_lives: HashSet<(StepOf, u32)> = begins.iter().map(|line| (line.step_of(), line.life)).collect();
    proof.again = in_lives.len() - begun.len();
    proof.after_lost_lease = begins.len() - in_lives.len();
    for line in begins {
        let step_of = line.step_of();
        match journal.steps.get(&step_of) {
            Some(recorded) if line.at.as_microsecond() > recorded.as_microsecond() + CLOCKS => {
                proof.broken.push(format!("{} began at {}, after its record at {recorded}", named(&step_of), line.at));
            }
            Some(_) => {}
            None => proof.broken.push(format!("{} ran but was never recorded", named(&step_of))),
        }
        if let Some(witness) = witnesses.iter().find(|witness| line.life > witness.life && witness.saw(&step_of)) {
            let (named, before, life) = (named(&step_of), witness.life, line.life);
            proof
                .broken
                .push(format!("{named} was recorded when executor {before} died, but ran again in executor {life}"));
        }
    }
    let idle = journal.steps.keys().filter(|step_of| !ended.contains(step_of));
    proof.broken.extend(idle.map(|step_of| format!("{} was recorded but never ran to its end", named(step_of))));
    proof.broken.extend(journal.runs.iter().filter_map(|run| unfinished(run, journal)));
    proof
}

/// What is missing in a run, if anything.
fn unfinished(run: &onward::RunRecord, journal: &Journal) -> Option<String> {
    if run.status != onward::Status::Succeeded {
        return Some(format!("run {} is {}: {}", run.id, run.status, run.reason));
    }
    let steps: &[&str] = if run.parent.is_some() { &STEPS } else { &["summarize"] };
    let lacks = steps.iter().find(|step| !journal.steps.contains_key(&(run.id.to_string(), (**step).to_owned())))?;
    Some(format!("run {} succeeded without recording `{lacks}`", run.id))
}

fn named((run, step): &StepOf) -> String {
    format!("step `{step}` of run {run}")
}

#[cfg(test)]
mod tests {
    use onward::Timestamp;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The log of a body of step `read` of run `r` that began and ended at this second.
    fn body(second: i64, life: u32) -> [Line; 2] {
        [Mark::Begin, Mark::End].map(|mark| {
            let (run, step) = ("r".to_owned(), "read".to_owned());
            Line { at: at(second), mark, run, step, attempt: 1, pid: life, life }
        })
    }

    fn read() -> StepOf {
        ("r".to_owned(), "read".to_owned())
    }

    fn proof(bodies: [[Line; 2]; 2], recorded: i64, seen: bool) -> OfSteps {
        let journal = Journal { runs: Vec::new(), steps: HashMap::from([(read(), at(recorded))]) };
        let steps = if seen { HashSet::from([read()]) } else { HashSet::new() };
        of_steps(&bodies.concat(), &journal, &[Witness { life: 1, ended: HashSet::new(), steps }])
    }

    #[test]
    fn a_body_may_run_again_before_its_record() {
        let proof = proof([body(1, 1), body(2, 2)], 2, false);
        assert_eq!((proof.bodies, proof.again, proof.broken.as_slice()), (2, 1, &[][..]));
    }

    #[test]
    fn a_body_that_begins_after_its_record_breaks_the_proof() {
        assert_eq!(proof([body(1, 1), body(2, 2)], 1, false).broken.len(), 1);
    }

    #[test]
    fn two_clocks_that_differ_by_little_break_no_proof() {
        let mut again = body(1, 1);
        again[0].at += std::time::Duration::from_millis(50);
        assert_eq!(proof([body(1, 1), again], 1, false).broken, [""; 0]);
    }

    #[test]
    fn a_step_that_was_recorded_at_a_kill_breaks_the_proof_if_it_runs_again_whatever_its_record_says_later() {
        assert_eq!(proof([body(1, 1), body(2, 2)], 2, true).broken.len(), 1);
    }

    #[test]
    fn an_archive_that_was_tampered_with_breaks_the_proof() {
        let work = tempfile::tempdir().unwrap();
        let archive = Archive::at(work.path());
        archive.create().unwrap();
        let (source, paths) = (work.path().join("source"), vec!["one".to_owned(), "other".to_owned()]);
        std::fs::create_dir(&source).unwrap();
        let began = SystemTime::now() + std::time::Duration::from_secs(3_600);
        let mut entries = Vec::new();
        for path in &paths {
            std::fs::write(source.join(path), path).unwrap();
            let bytes = archive.read(path, &source.join(path)).unwrap();
            let sha256 = archive.hash(path).unwrap();
            let packed = archive.compress(path).unwrap();
            archive.store(path, &sha256).unwrap();
            entries.push(Entry { path: path.clone(), bytes, sha256, packed });
            archive.record(path, &entries[entries.len() - 1]).unwrap();
        }
        archive.summarize(Summary::of(&entries)).unwrap();
        let files = Files { source, paths, left_out: 0 };
        let broken = || of_files(&archive, &files, began).unwrap().broken;
        assert_eq!(broken(), [""; 0]);

        let stored = |entry: &Entry| work.path().join("archive").join(format!("{}.gz", entry.sha256));
        std::fs::copy(stored(&entries[0]), stored(&entries[1])).unwrap();
        assert_eq!(broken().len(), 2, "neither the hash nor the content is that of the file");
    }

    #[test]
    fn two_texts_are_the_same_only_to_the_end() {
        assert!(same(&b"abc"[..], &b"abc"[..]).unwrap());
        assert!(!same(&b"abc"[..], &b"abd"[..]).unwrap());
        assert!(!same(&b"abc"[..], &b"ab"[..]).unwrap());
    }
}
