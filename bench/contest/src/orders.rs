//! What a program is asked for: `<engine> <job> <database> [count]`.

use crate::{Job, Result};

/// One job on one engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Orders {
    /// The engine's name.
    pub engine: String,
    /// The job.
    pub job: Job,
    /// The database: `sqlite:…` a file, `postgres://…` a database, `folder:…` where an engine keeps files of its own.
    pub url: String,
    /// How many steps or runs, where it is not the job's own number.
    pub count: u32,
}

impl Orders {
    /// Read them from the arguments of a program, without its name.
    ///
    /// # Errors
    /// Where they are not as they should be.
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Orders> {
        let arguments: Vec<String> = arguments.into_iter().collect();
        let (engine, job, url, count) = match arguments.as_slice() {
            [engine, job, url] => (engine, job, url, None),
            [engine, job, url, count] => (engine, job, url, Some(count)),
            _ => return Err("expected: <engine> <a|b|c|d|dq|e> <database> [count]".into()),
        };
        let job: Job = job.parse()?;
        let count = count.map_or(Ok(job.count()), |count| count.parse())?;
        Ok(Orders { engine: engine.clone(), job, url: url.clone(), count })
    }

    /// The same as arguments.
    pub fn arguments(&self) -> [String; 4] {
        [self.engine.clone(), self.job.to_string(), self.url.clone(), self.count.to_string()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_are_written() {
        let orders = Orders { engine: "onward".to_owned(), job: Job::Dq, url: "sqlite:x".to_owned(), count: 7 };
        assert_eq!(Orders::read(orders.arguments()).unwrap(), orders);
    }

    #[test]
    fn a_job_has_its_own_number() {
        let orders = Orders::read(["onward", "c", "sqlite:x"].map(str::to_owned)).unwrap();
        assert_eq!(orders.count, 5_000);
        assert!(Orders::read(["onward", "z", "sqlite:x"].map(str::to_owned)).is_err());
    }
}
