//! The schema that contains the tables: `?schema=billing` in the URL. This lets several applications share a database.

use std::fmt;

use onward_types::{Code, Error};

use super::connect::Session;
use super::fault::fault;
use crate::fault::Fault;

/// A name of lower-case letters, digits and underscores. It is quoted because it may be an SQL keyword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schema(String);

/// PostgreSQL truncates longer names.
const NAME_MAX: usize = 63;

impl Schema {
    /// Take the schema out of the URL, if it names one; the driver would reject it.
    pub(super) fn parse(url: &str) -> Result<(String, Option<Schema>), Fault> {
        let Some((address, query)) = url.split_once('?') else { return Ok((url.to_owned(), None)) };
        let (named, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("schema="));
        let url = if rest.is_empty() { address.to_owned() } else { format!("{address}?{}", rest.join("&")) };
        let Some(name) = named.last().and_then(|pair| pair.strip_prefix("schema=")) else { return Ok((url, None)) };
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins_well = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        if name.len() <= NAME_MAX && begins_well && name.bytes().all(is_word) && !name.starts_with("pg_") {
            return Ok((url, Some(Schema(name.to_owned()))));
        }
        let message = format!(
            "`schema={name}` cannot be used: a schema's name has 1 to {NAME_MAX} lower-case letters, digits and \
             underscores, and begins with neither a digit nor `pg_`"
        );
        Err(Error::new(Code::Invalid, message).into())
    }

    fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// The startup options of a session, appended to those in the URL.
    pub(super) fn options(&self, before: Option<&str>) -> String {
        let own = format!("-c search_path={}", self.quoted());
        before.map_or(own.clone(), |before| format!("{before} {own}"))
    }

    /// Create the schema if it does not exist. Checked first, so that a role without the privilege to create a schema can use
    /// an existing one; and again after a failure, because two concurrent `if not exists` can conflict.
    pub(super) async fn create(&self, session: &Session) -> Result<(), Fault> {
        if self.is_there(session).await? {
            return Ok(());
        }
        match session.batch_execute(&format!("create schema if not exists {}", self.quoted())).await {
            Err(error) if !self.is_there(session).await? => Err(refused(&self.0, error)),
            _ => Ok(()),
        }
    }

    async fn is_there(&self, session: &Session) -> Result<bool, Fault> {
        let found = session.query_one("select to_regnamespace($1) is not null as found", &[&self.quoted()]).await;
        Ok(super::row::flag(&found.map_err(fault)?, "found")? == Some(true))
    }
}

fn refused(schema: &str, error: tokio_postgres::Error) -> Fault {
    let Fault { cure, error } = fault(error);
    let message = format!(
        "the schema `{schema}` does not exist and cannot be created: {}. Create it, or allow the role to with `grant create on database`",
        error.message()
    );
    Fault::new(cure, error.kind(), message)
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_taken_out_of_the_url() {
        let (url, schema) = Schema::parse("postgres://u@h/d?sslmode=disable&schema=billing_2").unwrap();
        assert_eq!((url.as_str(), schema.unwrap().0.as_str()), ("postgres://u@h/d?sslmode=disable", "billing_2"));
        assert_eq!(Schema::parse("postgres://u@h/d?schema=a").unwrap().0, "postgres://u@h/d");
        assert_eq!(Schema::parse("postgres://u@h/d").unwrap(), ("postgres://u@h/d".to_owned(), None));
    }

    #[test]
    fn a_name_that_would_need_quotes_is_refused() {
        for name in ["", "a-b", "Billing", "2a", "pg_own", "a;drop", &"a".repeat(64)] {
            let refused = Schema::parse(&format!("postgres://u@h/d?schema={name}")).err().unwrap();
            assert!(refused.error.message().contains("lower-case"), "{name}: {}", refused.error);
        }
    }
}
