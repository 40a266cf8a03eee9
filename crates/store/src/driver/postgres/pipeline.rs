//! Pipelining: all statements are sent before the first answer is awaited, so a batch costs one round trip.

use std::future::poll_fn;
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::fault::named;
use crate::fault::Fault;

/// The parameters of a statement, in order.
pub(super) type Args<'a> = Vec<Box<dyn ToSql + Send + Sync + 'a>>;

/// Statements that are sent together.
pub(super) struct Pipeline<'a> {
    client: &'a Client,
    sent: Vec<Sent<'a>>,
}

struct Sent<'a> {
    name: &'static str,
    waiting: BoxFuture<'a, Result<Vec<Row>, Error>>,
    answer: Option<Result<Vec<Row>, Error>>,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(client: &'a Client) -> Pipeline<'a> {
        Pipeline { client, sent: Vec::new() }
    }

    /// Add a statement. The client sends a request when its future is first polled, in the order of those polls.
    pub(super) fn add(&mut self, name: &'static str, statement: &'a Statement, args: Args<'a>) {
        let client = self.client;
        let asked = async move {
            let args: Vec<&(dyn ToSql + Sync)> = args.iter().map(|arg| &**arg as &(dyn ToSql + Sync)).collect();
            client.query(statement, &args).await
        };
        self.push(name, asked.boxed());
    }

    /// Add a statement without parameters or rows.
    pub(super) fn command(&mut self, command: &'static str) {
        let client = self.client;
        self.push(command, async move { client.batch_execute(command).await.map(|()| Vec::new()) }.boxed());
    }

    fn push(&mut self, name: &'static str, waiting: BoxFuture<'a, Result<Vec<Row>, Error>>) {
        let mut sent = Sent { name, waiting, answer: None };
        sent.answer = (&mut sent.waiting).now_or_never();
        self.sent.push(sent);
    }

    /// Whether a statement has already failed. A statement that could not even be sent does not abort the transaction on the
    /// server, which would then commit all others.
    fn has_failed(&self) -> bool {
        self.sent.iter().any(|sent| matches!(sent.answer, Some(Err(_))))
    }

    /// End the transaction and await the answers: commit, or roll back if a statement could not be sent.
    pub(super) async fn commit(mut self) -> Result<Answers, Fault> {
        self.command(if self.has_failed() { "rollback" } else { "commit" });
        self.answers().await
    }

    /// Await all answers, and return the rows of each statement if all succeeded. Otherwise return the first error, because the
    /// later ones only follow from it, and the `commit` after them is answered as a success.
    pub(super) async fn answers(mut self) -> Result<Answers, Fault> {
        self.settle().await;
        let answered = |sent: Sent<'_>| {
            let answer = sent.answer.expect("the poll above ends when all are answered");
            answer.map(|rows| (sent.name, rows)).map_err(|error| named(sent.name, error))
        };
        Ok(Answers(self.sent.into_iter().map(answered).collect::<Result<_, _>>()?))
    }

    /// Wait until everything sent is answered, successfully or not.
    pub(super) async fn settle(&mut self) {
        poll_fn(|context| {
            let mut all = Poll::Ready(());
            for sent in self.sent.iter_mut().filter(|sent| sent.answer.is_none()) {
                match sent.waiting.poll_unpin(context) {
                    Poll::Ready(answer) => sent.answer = Some(answer),
                    Poll::Pending => all = Poll::Pending,
                }
            }
            all
        })
        .await;
    }
}

/// The rows of each statement, by its name.
pub(super) struct Answers(Vec<(&'static str, Vec<Row>)>);

impl Answers {
    /// The rows of a statement; empty if it was not sent.
    pub(super) fn rows(&self, name: &str) -> &[Row] {
        self.0.iter().find(|(of, _)| *of == name).map_or(&[], |(_, rows)| rows)
    }

    /// The same, as owned rows.
    pub(super) fn take(self, name: &str) -> Vec<Row> {
        self.0.into_iter().find(|(of, _)| *of == name).map(|(_, rows)| rows).unwrap_or_default()
    }
}
