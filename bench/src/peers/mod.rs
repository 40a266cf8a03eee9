//! Onward beside its peers: every engine performs the jobs of `bench/contest`, one after another on this machine, for several
//! rounds, and the raw loops in each round with them.
//!
//! Each job is performed in a process of its own, on a database of its own (`child.rs`). What is read from outside, such as
//! memory and files, is read when the engine is warm and when it is done (`readings.rs`).

mod chart;
mod child;
mod durability;
mod machine;
mod page;
mod readings;
mod results;
mod subject;
mod tools;

use std::path::PathBuf;
use std::time::Instant;

use onward_contest::Job;

use self::child::Place;
use self::durability::Durability;
use self::results::{Outcome, Results};
use self::subject::Subject;
use self::tools::Tools;
use crate::Result;

/// What is measured. Without any of the choices all of it is, which takes about a quarter of an hour.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these jobs: a, b, c, d, dq, e, and f, which is read while a and b run
    #[arg(long, value_delimiter = ',')]
    jobs: Vec<String>,
    /// Only these engines: raw, onward, dbos, durare, duroxide, restate
    #[arg(long, value_delimiter = ',')]
    engines: Vec<String>,
    /// How often everything is measured; the medians are told
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Do not check how durable each engine is
    #[arg(long)]
    unchecked: bool,
    /// Write RESULTS.md and results.svg into this folder. All jobs of all engines together go to `bench`; a choice is only printed
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Options {
    fn jobs(&self) -> Result<Vec<Job>> {
        let mut jobs = Vec::new();
        for name in &self.jobs {
            match name.as_str() {
                "f" => jobs.extend([Job::A, Job::B]),
                name => jobs.push(name.parse()?),
            }
        }
        Ok(Job::ALL.into_iter().filter(|job| jobs.is_empty() || jobs.contains(job)).collect())
    }

    fn subjects(&self) -> Result<Vec<Subject>> {
        let known = |name: &String| Subject::ALL.iter().any(|subject| subject.engine == name);
        if let Some(unknown) = self.engines.iter().find(|name| !known(name)) {
            return Err(format!("no engine is called `{unknown}`").into());
        }
        let asked =
            |subject: &Subject| self.engines.is_empty() || self.engines.iter().any(|name| name == subject.engine);
        Ok(Subject::ALL.into_iter().filter(asked).collect())
    }

    /// Where the results belong.
    fn folder(&self) -> Option<PathBuf> {
        let all = self.jobs.is_empty() && self.engines.is_empty();
        self.out.clone().or_else(|| all.then(|| PathBuf::from(env!("CARGO_MANIFEST_DIR"))))
    }
}

/// Measure, print the results, and write them where they belong.
pub(crate) async fn compare(options: Options) -> Result<()> {
    let (jobs, subjects) = (options.jobs()?, options.subjects()?);
    let began = Instant::now();
    let tools = Tools::ready(&subjects)?;
    let place = Place::new(tools).await?;
    let mut results = Results::new(options.rounds, jobs.clone(), subjects.clone());
    for subject in subjects.iter().filter(|subject| subject.engine != "raw" && !options.unchecked) {
        say(&format!("how durable is {subject}"));
        let durability = Durability::check(&place, *subject).await.map_err(|error| error.to_string());
        results.durability.push((*subject, durability));
    }
    for round in 1..=options.rounds {
        for job in &jobs {
            for subject in subjects.iter().filter(|subject| subject.leaves_out(*job).is_none()) {
                let measured = place.measure(*subject, *job).await.map_err(|error| error.to_string());
                let outcome = Outcome { subject: *subject, job: *job, round, measured };
                say(&format!("round {round} of {}, job {job}: {outcome}", options.rounds));
                results.outcomes.push(outcome);
            }
        }
    }
    results.versions = place.versions().await?;
    results.minutes = began.elapsed().as_secs_f64() / 60.0;
    let page = results.page();
    println!("{page}");
    if let Some(folder) = options.folder() {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("RESULTS.md"), page)?;
        std::fs::write(folder.join("results.svg"), chart::draw(&results))?;
        say(&format!("written: RESULTS.md and results.svg, after {:.0} minutes", results.minutes));
    }
    Ok(())
}

/// Progress, beside the results.
fn say(line: &str) {
    eprintln!("{line}");
}
