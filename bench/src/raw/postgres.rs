//! PostgreSQL: one statement over arrays per kind of row, all sent at once between `begin` and `commit`.

use futures_util::FutureExt;
use futures_util::future::try_join_all;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

use super::{EXECUTOR, now};
use crate::Result;

const SESSION: &str = include_str!("../../sql/session.postgres.sql");
const CREATE: &str = include_str!("../../sql/create.postgres.sql");
const CHECKPOINT: &str = include_str!("../../sql/checkpoint.postgres.sql");
const CHECKPOINT_ONE: &str = include_str!("../../sql/checkpoint_one.postgres.sql");
const FINISH: &str = include_str!("../../sql/finish.postgres.sql");

pub(crate) struct Raw {
    client: Client,
    create: Statement,
    checkpoint: Statement,
    checkpoint_one: Statement,
    finish: Statement,
    /// The run of the single commits, and how many it has.
    single: (Uuid, u32),
}

impl Raw {
    pub(super) async fn open(url: &str) -> Result<Raw> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(async move {
            // A caller that waits for an answer gets the error itself.
            connection.await.ok();
        });
        client.batch_execute(SESSION).await?;
        Ok(Raw {
            create: client.prepare(CREATE).await?,
            checkpoint: client.prepare(CHECKPOINT).await?,
            checkpoint_one: client.prepare(CHECKPOINT_ONE).await?,
            finish: client.prepare(FINISH).await?,
            client,
            single: (Uuid::now_v7(), 0),
        })
    }

    pub(super) async fn create(&mut self, runs: &[Uuid]) -> Result<()> {
        let ids: Vec<String> = runs.iter().map(|run| run.hyphenated().to_string()).collect();
        let times: Vec<i64> = runs.iter().map(|_| now()).collect();
        let (workflows, executors) = (vec!["steps"; runs.len()], vec![EXECUTOR; runs.len()]);
        let (hashes, inputs) = (vec![7_i64; runs.len()], vec!["5"; runs.len()]);
        let create = self
            .client
            .execute_raw(
                &self.create,
                [
                    &runs as &(dyn tokio_postgres::types::ToSql + Sync),
                    &ids,
                    &workflows,
                    &executors,
                    &times,
                    &hashes,
                    &inputs,
                ],
            )
            .map(|done| done.map(drop))
            .boxed();
        try_join_all([self.command("begin"), create, self.command("commit")]).await?;
        Ok(())
    }

    pub(super) async fn record(&mut self, runs: &[Uuid], step: u32, last: bool) -> Result<()> {
        let count = runs.len();
        let (positions, seqs) = (vec![i64::from(step); count], vec![i64::from(step + 1); count]);
        let (names, outputs, results) = (vec!["step"; count], vec!["1"; count], vec!["5"; count]);
        let times: Vec<i64> = runs.iter().map(|_| now()).collect();
        let checkpoint: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&runs, &positions, &seqs, &names, &outputs, &times];
        let finish: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&runs, &results, &times];
        let mut sent = vec![self.command("begin")];
        sent.push(self.client.execute_raw(&self.checkpoint, checkpoint).map(|done| done.map(drop)).boxed());
        if last {
            sent.push(self.client.execute_raw(&self.finish, finish).map(|done| done.map(drop)).boxed());
        }
        sent.push(self.command("commit"));
        try_join_all(sent).await?;
        Ok(())
    }

    pub(super) async fn commits(&mut self, count: u32) -> Result<()> {
        let (run, made) = &mut self.single;
        for _ in 0..count {
            let (position, seq) = (i64::from(*made), i64::from(*made + 1));
            self.client.execute(&self.checkpoint_one, &[run, &position, &seq, &"step", &"1", &now()]).await?;
            *made += 1;
        }
        Ok(())
    }

    fn command(
        &self,
        command: &'static str,
    ) -> futures_util::future::BoxFuture<'_, std::result::Result<(), tokio_postgres::Error>> {
        self.client.batch_execute(command).boxed()
    }
}
