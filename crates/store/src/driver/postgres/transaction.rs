//! User transactions on PostgreSQL, each on a session of its own.

use std::error::Error as _;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::StreamExt;
use onward_types::{Code, Error, Json, micros};
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Row};

use super::connect::RESET;
use super::fault::{fault, sentence};
use super::limit::{self, within};
use super::pipeline::{Args, Pipeline};
use super::{Postgres, Tx};
use crate::change::Checkpoint;
use crate::driver::transaction::value::{SqlRow, SqlValue, instant};
use crate::driver::transaction::{Answer, Failure, Owner};
use crate::driver::{Param, params, sql};
use crate::fault::{Cure, Fault};

/// The most prepared statements that a session keeps. Texts that are assembled differ each time, and would accumulate.
const PREPARED_MAX: usize = 256;

/// Undoes settings of the body under which Onward's own statements would fail.
const OUR_OWN_WAY: &str = "set local search_path to default; set local role none";

/// Microseconds from 1970 to 2000, the epoch of PostgreSQL.
const EPOCH: i64 = 946_684_800_000_000;

pub(crate) struct UserTransaction(Tx);

impl Postgres {
    /// Begin a user transaction. `None`: the run was revoked from its executor.
    pub(crate) async fn begin(&self, owner: &Owner, serializable: bool) -> Result<Option<UserTransaction>, Fault> {
        // First come, first served, without a time limit: a step has its own timeout.
        let pool = &self.0.transactions;
        let client = pool.get_in_turn().await?;
        if client.statement_cache.size() > PREPARED_MAX {
            client.statement_cache.clear();
        }
        let begin = if serializable { "begin isolation level serializable" } else { "begin" };
        let mut tx = Tx::new(client, begin);
        tx.reset_with(RESET);
        let owned = tx.query(sql!("transactions/begin"), &possession(owner)).await;
        match owned {
            Ok(rows) if rows.is_empty() => {
                tx.roll_back();
                Ok(None)
            }
            Ok(_) => {
                let client = tx.client.as_ref().ok_or_else(|| Fault::reopen("the transaction has ended"))?;
                // Prepared before the body can set a search path under which they would not find their tables.
                client.prepare_cached(sql!("transactions/own").postgres()).await.map_err(fault)?;
                client.prepare_cached(sql!("checkpoints/insert").postgres()).await.map_err(fault)?;
                Ok(Some(UserTransaction(tx)))
            }
            Err(fault) => {
                tx.roll_back();
                Err(fault)
            }
        }
    }
}

fn possession(owner: &Owner) -> [Param; 3] {
    params![owner.run, owner.executor.as_str(), owner.owners]
}

impl UserTransaction {
    pub(crate) async fn run(&mut self, sql: &str, values: &[SqlValue]) -> Result<Answer, Failure> {
        let client = self.0.client.as_ref().ok_or_else(ended)?;
        let late = |_| Err(Failure::Lost(Error::new(Code::Database, "PostgreSQL does not answer the transaction")));
        let ran = crate::real_time::timeout(limit::OF_USERS, answer(client, sql, values)).await.unwrap_or_else(late);
        if ran.is_err() {
            // A cached plan that does not fit the tables any more would fail again and again.
            client.statement_cache.remove(sql, &[]);
        }
        ran
    }

    pub(crate) fn roll_back(self) {
        self.0.roll_back();
    }

    /// Write the checkpoint and commit, in one pipeline.
    pub(crate) async fn commit(self, owner: &Owner, it: &Checkpoint) -> Result<(), Failure> {
        let UserTransaction(mut tx) = self;
        // On every path except success, the session is closed together with its transaction.
        let client = tx.client.as_ref().ok_or_else(ended)?;
        let own = client.prepare_cached(sql!("transactions/own").postgres()).await.map_err(|error| failure(&error))?;
        let insert = sql!("checkpoints/insert").postgres();
        let insert = client.prepare_cached(insert).await.map_err(|error| failure(&error))?;
        let seq = i64::try_from(it.seq).unwrap_or(i64::MAX);
        let (output, error) = (it.result.as_ref().ok().map(Json::as_str), it.result.as_ref().err().map(Json::as_str));
        let times = (micros(it.started_at), micros(it.finished_at));
        let kind = it.kind.as_str();
        let notes = it.notes.as_ref().map(Json::as_str);
        let row = params![owner.run, it.position, seq, kind, &*it.name, output, error, times.0, times.1, notes];
        let mut pipeline = Pipeline::new(client);
        pipeline.command(OUR_OWN_WAY);
        pipeline.add("transactions/own", &own, args(possession(owner)));
        pipeline.add("checkpoints/insert", &insert, args(row));
        // The process can be killed between the last statement and the commit only if it waits there, which costs a round trip.
        if crate::crash::is_armed("transaction.written") {
            pipeline.settle().await;
            crate::crash::point("transaction.written");
        }
        let done = within(limit::STATEMENT, pipeline.commit()).await.map(drop).map_err(|fault| match fault.cure {
            // The division by zero in `own`: the fence of a single run.
            Cure::Rejoin => Failure::Refused,
            Cure::Reopen => Failure::Unknown(fault.error),
            Cure::TryAgain => Failure::Conflict(fault.error),
            Cure::LeaveOut | Cure::None => Failure::Failed(fault.error),
        });
        if done.is_ok() {
            tx.give_back();
        }
        done
    }
}

fn args<const N: usize>(params: [Param; N]) -> Args<'static> {
    params.into_iter().map(|param| Box::new(param) as _).collect()
}

fn ended() -> Failure {
    Failure::Lost(Error::new(Code::Database, "the transaction has ended"))
}

async fn answer(client: &deadpool_postgres::Object, sql: &str, values: &[SqlValue]) -> Result<Answer, Failure> {
    let statement = client.prepare_cached(sql).await.map_err(|error| failure(&error))?;
    let wanted = statement.params().len();
    if wanted != values.len() {
        let message = format!("the statement has {wanted} parameters, but {} were given", values.len());
        return Err(Failure::Failed(Error::fatal(Error::new(Code::Invalid, message))));
    }
    let columns: Arc<[String]> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let client: &Client = client;
    let sent = client.query_raw(&statement, values).await.map_err(|error| failure(&error))?;
    let mut sent = std::pin::pin!(sent);
    let mut rows = Vec::new();
    while let Some(row) = sent.next().await {
        let row = row.map_err(|error| failure(&error))?;
        let values = (0..columns.len()).map(|at| read(&row, at)).collect::<Result<_, _>>().map_err(Failure::Failed)?;
        rows.push(SqlRow { columns: columns.clone(), values });
    }
    Ok((rows, sent.rows_affected().unwrap_or(0)))
}

/// Classifies an error before the commit was sent.
fn failure(error: &tokio_postgres::Error) -> Failure {
    let said = |code| Error::new(code, format!("PostgreSQL: {}", sentence(error)));
    let Some(state) = error.as_db_error().map(|said| said.code().code()) else {
        let io = error.source().is_some_and(|source| source.is::<std::io::Error>());
        return if io || error.is_closed() {
            Failure::Lost(said(Code::Database))
        } else {
            Failure::Failed(said(Code::Database))
        };
    };
    match state {
        "40001" | "40P01" | "55P03" => Failure::Conflict(said(Code::Busy)),
        // The session ends, the server starts, stops or has become a standby, or the transaction was idle for too long.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25006" | "25P02" | "25P03" => {
            Failure::Lost(said(Code::Database))
        }
        "0A000" if sentence(error).contains("cached plan") => Failure::Conflict(said(Code::Busy)),
        // A connection error; out of memory, disk or connections; an error of the operating system.
        _ if ["08", "53", "58"].iter().any(|class| state.starts_with(class)) => Failure::Lost(said(Code::Database)),
        _ => Failure::Failed(said(Code::Database)),
    }
}

/// Read a column.
fn read(row: &Row, at: usize) -> Result<SqlValue, Error> {
    let of = row.columns()[at].type_();
    let value = match *of {
        Type::BOOL => row.try_get::<_, Option<bool>>(at).map(Into::into),
        Type::INT2 => row.try_get::<_, Option<i16>>(at).map(Into::into),
        Type::INT4 => row.try_get::<_, Option<i32>>(at).map(Into::into),
        Type::INT8 => row.try_get::<_, Option<i64>>(at).map(Into::into),
        Type::OID => row.try_get::<_, Option<u32>>(at).map(Into::into),
        Type::FLOAT4 => row.try_get::<_, Option<f32>>(at).map(Into::into),
        Type::FLOAT8 => row.try_get::<_, Option<f64>>(at).map(Into::into),
        Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(at).map(Into::into),
        Type::UUID => row.try_get::<_, Option<uuid::Uuid>>(at).map(Into::into),
        Type::VOID => Ok(SqlValue::Null),
        Type::TIMESTAMPTZ | Type::TIMESTAMP | Type::JSON | Type::JSONB => {
            row.try_get::<_, Option<Raw>>(at).map(|raw| raw.map_or(SqlValue::Null, |Raw(value)| value))
        }
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
            row.try_get::<_, Option<String>>(at).map(Into::into)
        }
        ref other if matches!(other.kind(), Kind::Enum(_)) => {
            row.try_get::<_, Option<Raw>>(at).map(|raw| raw.map_or(SqlValue::Null, |Raw(value)| value))
        }
        ref other => {
            let column = row.columns()[at].name();
            let message =
                format!("column `{column}` has the type {other}, which is not supported: write `{column}::text`");
            return Err(Error::fatal(Error::new(Code::Decode, message)));
        }
    };
    value.map_err(|error| Error::new(Code::Decode, format!("PostgreSQL: {}", sentence(&error))))
}

/// A value that is decoded here from its binary form.
struct Raw(SqlValue);

impl<'a> tokio_postgres::types::FromSql<'a> for Raw {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Raw, Box<dyn std::error::Error + Sync + Send>> {
        let text = |raw: &[u8]| String::from_utf8(raw.to_vec()).map(SqlValue::Text);
        Ok(Raw(match *of {
            Type::TIMESTAMPTZ | Type::TIMESTAMP => instant(i64::from_be_bytes(raw.try_into()?).saturating_add(EPOCH)),
            // The first byte is the version of the format.
            Type::JSONB => text(raw.get(1..).unwrap_or_default())?,
            _ => text(raw)?,
        }))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Sent as text, which the server converts to the type required in that place.
impl ToSql for SqlValue {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            SqlValue::Null => return Ok(IsNull::Yes),
            SqlValue::Bool(it) => out.extend_from_slice(if *it { b"true" } else { b"false" }),
            SqlValue::Int(it) => out.extend_from_slice(it.to_string().as_bytes()),
            SqlValue::Float(it) => out.extend_from_slice(float(*it).as_bytes()),
            SqlValue::Text(it) => out.extend_from_slice(it.as_bytes()),
            SqlValue::Bytes(it) => {
                out.extend_from_slice(b"\\x");
                it.iter().for_each(|byte| out.extend_from_slice(format!("{byte:02x}").as_bytes()));
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

fn float(value: f64) -> String {
    match value {
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        // Rust's format is the shortest one that reads back the same.
        value => value.to_string(),
    }
}
