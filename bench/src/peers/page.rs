//! The results as a page in Markdown: a table for each job, and how it was measured.

use std::fmt;
use std::fmt::Write;

use onward_contest::Job;

use super::machine::{self, Versions};
use super::results::{Metric, Outcome, Results, Spread};
use super::subject::{Keeps, Subject};

impl Results {
    /// All of it in Markdown.
    pub(crate) fn page(&self) -> String {
        let mut page = String::new();
        self.write(&mut page).expect("a string takes all that is written");
        page
    }

    fn write(&self, page: &mut String) -> fmt::Result {
        let Versions { date, machine, postgres, sqlite, onward } = &self.versions;
        writeln!(page, "# Onward beside its peers\n")?;
        let rounds = match self.rounds {
            1 => "One round".to_owned(),
            rounds => format!("Medians of {rounds} rounds, least and most in brackets"),
        };
        writeln!(page, "{rounds}; {date}; {:.0} minutes.", self.minutes)?;
        writeln!(
            page,
            "Made by `cargo run --release -p onward-bench -- peers`; [what it does, and how](README.md).\n"
        )?;
        writeln!(page, "* Machine: {machine}. Engines, databases and callers share it.")?;
        writeln!(
            page,
            "* Databases: PostgreSQL {postgres} with its default settings, SQLite {sqlite} for Onward and the raw loops."
        )?;
        writeln!(page, "* Onward {onward}.")?;
        writeln!(page, "* “Onward is” says how many times as fast, or as small, Onward is on the same database.\n")?;
        for job in &self.jobs {
            self.write_job(page, *job)?;
        }
        self.write_readings(page)?;
        self.write_durability(page)?;
        self.write_settings(page)?;
        self.write_faults(page)
    }

    fn write_job(&self, page: &mut String, job: Job) -> fmt::Result {
        let (title, unit) = match job {
            Job::A => ("a: one run of 1,000 steps, one after another", "steps/s"),
            Job::B => ("b: 1,000 runs of 5 steps, started at once, all awaited", "runs/s"),
            Job::C => ("c: 5,000 one-step runs through a queue, from 16 producers, until all have ended", "runs/s"),
            Job::D => ("d: one one-step run at a time, from its start to its result", "ms"),
            Job::Dq => ("dq: the same through a queue", "ms"),
            Job::E => ("e: 200 one-step runs at once with 100 KiB of input, step and output each", "runs/s"),
        };
        writeln!(page, "## {title}\n")?;
        let metrics: &[(Metric, &str)] =
            if job.is_idle() { &[(Metric::P50, "p50, "), (Metric::P99, "p99, ")] } else { &[(Metric::Rate, "")] };
        let columns: Vec<String> = metrics.iter().map(|(_, name)| format!("{name}{unit}")).collect();
        self.write_table(page, &columns, metrics.iter().map(|(metric, _)| (job, *metric)).collect())?;
        for subject in &self.subjects {
            if let Some(why) = subject.leaves_out(job).filter(|_| subject.is_peer()) {
                writeln!(page, "{subject}: {why}.\n")?;
            }
            if subject.count(job) != job.count() {
                writeln!(page, "{subject}: only {} of them, for it is too slow to wait for.\n", subject.count(job))?;
            }
        }
        Ok(())
    }

    /// A row for each subject, and Onward's ratio by the first of the numbers.
    fn write_table(&self, page: &mut String, columns: &[String], numbers: Vec<(Job, Metric)>) -> fmt::Result {
        writeln!(page, "| engine | keeps its runs in | {} | Onward is |", columns.join(" | "))?;
        writeln!(page, "|---|---|{}---:|", "---:|".repeat(columns.len()))?;
        for subject in &self.subjects {
            if numbers.iter().all(|(job, _)| subject.leaves_out(*job).is_some()) {
                continue;
            }
            let spread = |(job, metric): &(Job, Metric)| match self.spread(*subject, *job, *metric) {
                Some(spread) => spread.in_words(*metric),
                None => "–".to_owned(),
            };
            let cells: Vec<String> = numbers.iter().map(spread).collect();
            let ratio =
                numbers.first().map_or_else(String::new, |(job, metric)| self.ratio_in_words(*subject, *job, *metric));
            let name = if subject.engine == "onward" { "**Onward**" } else { subject.engine };
            writeln!(page, "| {name} | {} | {} | {ratio} |", subject.keeps, cells.join(" | "))?;
        }
        writeln!(page)
    }

    fn ratio_in_words(&self, subject: Subject, job: Job, metric: Metric) -> String {
        let on = |keeps: Keeps| self.ratio(subject, job, metric, keeps).map(times);
        match subject.keeps {
            _ if subject.engine == "onward" => String::new(),
            Keeps::Own => {
                let both = [Keeps::Sqlite, Keeps::Postgres].map(|keeps| Some(format!("{} on {keeps}", on(keeps)?)));
                both.into_iter().flatten().collect::<Vec<_>>().join(", ")
            }
            keeps => on(keeps).unwrap_or_default(),
        }
    }

    fn write_readings(&self, page: &mut String) -> fmt::Result {
        if !(self.jobs.contains(&Job::A) && self.jobs.contains(&Job::B)) {
            return Ok(());
        }
        writeln!(page, "## f: what it needs\n")?;
        writeln!(
            page,
            "Memory: the most that the engine's processes had in RAM in job b; PostgreSQL's own are not among them."
        )?;
        writeln!(
            page,
            "Disk: by how much the database's files grew for each run of job b, with all its indexes; Restate's are compressed."
        )?;
        writeln!(
            page,
            "Log: what was written to PostgreSQL's write-ahead log for each step. “Onward is” compares the disk.\n"
        )?;
        let columns = ["disk, a run of b", "memory in b", "log, a step of a", "log, a step of b"].map(str::to_owned);
        let numbers =
            vec![(Job::B, Metric::Disk), (Job::B, Metric::Memory), (Job::A, Metric::Log), (Job::B, Metric::Log)];
        self.write_table(page, &columns, numbers)
    }

    fn write_durability(&self, page: &mut String) -> fmt::Result {
        if self.durability.is_empty() {
            return Ok(());
        }
        writeln!(page, "## Is it on the disk?\n")?;
        writeln!(
            page,
            "Every engine has to sync each commit before it acknowledges it. Counted while one run records 200 steps one after \
             another: on PostgreSQL by `pg_stat_wal`, for engines with files of their own by `strace` (fsync, fdatasync).\n"
        )?;
        writeln!(
            page,
            "| engine | keeps its runs in | what its connections or its server say | syncs a step | proved |"
        )?;
        writeln!(page, "|---|---|---|---:|---|")?;
        for (subject, durability) in &self.durability {
            let (said, syncs, proved) = match durability {
                Ok(durability) => {
                    let syncs = durability
                        .syncs
                        .map_or("–".to_owned(), |syncs| format!("{syncs:.2} ({})", durability.counted));
                    let proved = match durability.is_proved() {
                        Some(true) => "yes",
                        Some(false) => "**no**",
                        None => "not counted",
                    };
                    (durability.said.clone(), syncs, proved)
                }
                Err(error) => (error.clone(), "–".to_owned(), "**no**"),
            };
            writeln!(page, "| {} | {} | {said} | {syncs} | {proved} |", subject.engine, subject.keeps)?;
        }
        writeln!(page)
    }

    fn write_settings(&self, page: &mut String) -> fmt::Result {
        writeln!(page, "## Settings\n")?;
        for subject in self.subjects.iter().filter(|subject| subject.engine != "raw") {
            let measured = self.outcomes.iter().filter(|outcome| outcome.subject == *subject);
            let settings =
                measured.filter_map(|outcome| Some(outcome.measured.as_ref().ok()?.ready.settings.clone())).next();
            let version =
                if subject.is_peer() { format!(" ({})", machine::of_peer(subject.engine)) } else { String::new() };
            writeln!(page, "* {subject}{version}: {}", settings.unwrap_or_else(|| "never ready".to_owned()))?;
        }
        writeln!(page)
    }

    fn write_faults(&self, page: &mut String) -> fmt::Result {
        writeln!(page, "## What went wrong\n")?;
        let mut none = true;
        for Outcome { subject, job, round, measured } in &self.outcomes {
            let fault = match measured {
                Err(error) => error.clone(),
                Ok(measured) if measured.done.again > 0 => {
                    format!("{} step bodies were entered more than once, and nothing had crashed", measured.done.again)
                }
                Ok(_) => continue,
            };
            none = false;
            writeln!(page, "* {subject}, job {job}, round {round}: {fault}")?;
        }
        if none {
            writeln!(page, "Nothing: no job failed, no run was lost, no step body was entered twice.")?;
        }
        Ok(())
    }
}

impl Spread {
    fn in_words(&self, metric: Metric) -> String {
        let number = |value: f64| match metric {
            Metric::Memory => format!("{:.0}", value / 1024.0 / 1024.0),
            Metric::Disk | Metric::Log => thousands(value),
            _ => figures(value),
        };
        let unit = match metric {
            Metric::Memory => " MiB",
            Metric::Disk | Metric::Log => " B",
            _ => "",
        };
        format!("{}{unit} ({}–{})", number(self.median), number(self.least), number(self.most))
    }
}

/// Three significant figures and no more: the rest is noise.
pub(crate) fn figures(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => {
            let scale = 10_f64.powf(size.log10().floor() - 2.0);
            thousands((value / scale).round() * scale)
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn times(ratio: f64) -> String {
    format!("{} ×", if ratio >= 10.0 { format!("{ratio:.0}") } else { format!("{ratio:.1}") })
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_with_three_figures() {
        assert_eq!([12_345.0, 999.4, 12.34, 0.876].map(figures), ["12,300", "999", "12.3", "0.88"]);
        assert_eq!(thousands(-1_234_567.0), "-1,234,567");
    }
}
