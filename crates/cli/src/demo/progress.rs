//! Shows the progress of the demo on stderr: a bar on a terminal, plain lines elsewhere. The result goes to stdout.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};

use super::log::{Follow, Line, Mark, StepOf};

/// What has been done so far, according to the log.
pub(super) struct Tally {
    follow: Follow,
    lines: Vec<Line>,
    ended: HashSet<StepOf>,
    files: usize,
}

impl Tally {
    pub(super) fn new(work: &Path) -> Tally {
        Tally { follow: Follow::new(work), lines: Vec::new(), ended: HashSet::new(), files: 0 }
    }

    /// Reads what was added to the log.
    pub(super) fn update(&mut self) -> io::Result<()> {
        for line in self.follow.next_lines()? {
            if line.mark == Mark::End && self.ended.insert(line.step_of()) && line.step == "record" {
                self.files += 1;
            }
            self.lines.push(line);
        }
        Ok(())
    }

    /// The number of different bodies that have ended.
    pub(super) fn ended(&self) -> usize {
        self.ended.len()
    }

    /// Every line so far.
    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }
}

/// The progress on stderr.
pub(super) struct Progress {
    /// `None` without a terminal.
    bar: Option<ProgressBar>,
    steps: usize,
    told: Instant,
}

const TELL_EVERY: Duration = Duration::from_secs(1);

impl Progress {
    pub(super) fn new(steps: usize) -> Progress {
        let bar = Term::stderr().is_term().then(|| {
            let template = "{spinner} {wide_bar} {pos}/{len} steps, {msg}, {elapsed}";
            let style = ProgressStyle::with_template(template).expect("the template is a constant");
            let bar = ProgressBar::new(steps as u64).with_style(style).with_message("0 files");
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Progress { bar, steps, told: Instant::now() }
    }

    /// Prints an event that stays on the screen.
    pub(super) fn event(&self, text: impl AsRef<str>) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{}", text.as_ref()),
        }
    }

    pub(super) fn show(&mut self, tally: &Tally) {
        let files = format!("{} files", tally.files);
        match &self.bar {
            Some(bar) => {
                bar.set_position(tally.ended() as u64);
                bar.set_message(files);
            }
            None if self.told.elapsed() >= TELL_EVERY => {
                self.told = Instant::now();
                eprintln!("  {} of {} steps, {files}", tally.ended(), self.steps);
            }
            None => {}
        }
    }

    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
