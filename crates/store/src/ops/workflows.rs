//! Workflows: what executors publish of them, and which there are.

use std::collections::{BTreeMap, HashMap};

use onward_types::{
    ExecutorId, ExecutorRecord, Json, OpenRuns, Schemas, Status, StepSchemas, Timestamp, VersionRecord, WorkflowRecord,
    by_version, from_micros,
};

use super::executors;
use super::retain;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// What an executor publishes of a workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// The name of the workflow.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The schemas of its input and output.
    pub schemas: Schemas,
}

/// What an executor publishes of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedStep {
    /// The name of the workflow.
    pub workflow: String,
    /// Its version.
    pub version: String,
    /// The step, with the schemas of its arguments and output.
    pub step: StepSchemas,
}

/// Those of these workflows that are not published as they are here, in the order of their rows.
pub(crate) async fn changed(tx: &mut Tx, workflows: &[Published]) -> Result<Vec<Published>, Fault> {
    let rows = tx.query(sql!("workflows/published"), &[]).await?;
    let there = rows.iter().map(|row| Ok(((row.text("name")?, row.text("version")?), schemas(row)?)));
    let there: HashMap<_, _> = there.collect::<Result<_, Fault>>()?;
    let is_new = |it: &&Published| there.get(&(it.name.clone(), it.version.clone())) != Some(&it.schemas);
    let mut changed: Vec<Published> = workflows.iter().filter(is_new).cloned().collect();
    // Two executors that publish the same rows at the same time must lock them in one order.
    changed.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    Ok(changed)
}

/// Publish these workflows.
pub(crate) async fn publish(tx: &mut Tx, workflows: &[Published], now: Timestamp) -> Result<(), Fault> {
    for Published { name, version, schemas: Schemas { input, output } } in workflows {
        let row = params![name.as_str(), version.as_str(), text(input), text(output), now];
        tx.execute(sql!("workflows/publish"), &row).await?;
    }
    Ok(())
}

/// Publish a step of a workflow.
pub(crate) async fn publish_step(tx: &mut Tx, step: &PublishedStep) -> Result<(), Fault> {
    let PublishedStep { workflow, version, step: StepSchemas { name, schemas: Schemas { input, output } } } = step;
    let row = params![workflow.as_str(), version.as_str(), name.as_str(), text(input), text(output)];
    tx.execute(sql!("workflows/publish_step"), &row).await.map(drop)
}

/// Every workflow that an executor has or had, or that has runs.
pub(crate) async fn list(tx: &mut Tx) -> Result<Vec<WorkflowRecord>, Fault> {
    let mut all = All::default();
    for row in tx.query(sql!("workflows/published"), &[]).await? {
        let version = all.version(row.text("name")?, row.text("version")?);
        version.schemas = schemas(&row)?;
        version.updated_at = from_micros(row.int("updated_at")?);
    }
    for row in tx.query(sql!("workflows/steps"), &[]).await? {
        let step = StepSchemas { name: row.text("step")?, schemas: schemas(&row)? };
        all.version(row.text("workflow")?, row.text("version")?).steps.push(step);
    }
    executors::list(tx).await?.into_iter().filter(|it| !it.dead).for_each(|executor| all.have(executor));
    for name in retain::workflows(tx).await? {
        all.workflow(name);
    }
    for row in tx.query(sql!("counts/open"), &[]).await? {
        let runs = row.int("runs")?.unsigned_abs();
        let open = &mut all.workflow(row.text("workflow")?).open;
        match row.text("status")?.parse()? {
            Status::Delayed => open.delayed = runs,
            Status::Enqueued => open.enqueued = runs,
            Status::Running => open.running = runs,
            Status::Paused => open.paused = runs,
            ended => return Err(Fault::corrupt(format!("internal error: `{ended}` is counted as an open state"))),
        }
    }
    Ok(all.0.into_values().collect())
}

/// The workflows found so far, by name.
#[derive(Default)]
struct All(BTreeMap<String, WorkflowRecord>);

impl All {
    fn workflow(&mut self, name: String) -> &mut WorkflowRecord {
        let new = || WorkflowRecord { name: name.clone(), versions: Vec::new(), open: OpenRuns::default() };
        self.0.entry(name.clone()).or_insert_with(new)
    }

    fn version(&mut self, workflow: String, version: String) -> &mut VersionRecord {
        let versions = &mut self.workflow(workflow).versions;
        let at = versions.binary_search_by(|it| by_version(&it.version, &version)).unwrap_or_else(|at| {
            let (schemas, executors, steps) = Default::default();
            versions.insert(at, VersionRecord { version, executors, schemas, steps, updated_at: Timestamp::MIN });
            at
        });
        &mut versions[at]
    }

    /// Adds an executor to the versions that it has.
    fn have(&mut self, ExecutorRecord { id, workflows, started_at, .. }: ExecutorRecord) {
        for (name, version) in workflows.iter().filter_map(|it| it.split_once('@')) {
            let version = self.version(name.to_owned(), version.to_owned());
            version.executors.push(ExecutorId::new(id.as_str()));
            // An executor of an older version of Onward publishes nothing.
            if version.updated_at == Timestamp::MIN {
                version.updated_at = started_at;
            }
        }
    }
}

fn schemas(row: &Row) -> Result<Schemas, Fault> {
    let schema = |column: &str| Ok::<_, Fault>(row.opt_text(column)?.map(Json::from));
    Ok(Schemas { input: schema("input_schema")?, output: schema("output_schema")? })
}

fn text(schema: &Option<Json>) -> Option<&str> {
    schema.as_ref().map(Json::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_runs_are_counted_without_reading_those_that_ended() {
        let connection = crate::driver::sqlite::migrated();
        let sql = sql!("counts/open");
        let mut statement = connection.prepare(&format!("explain query plan {}", sql.sqlite())).unwrap();
        let plan = statement.query_map([], |row| row.get::<_, String>("detail"));
        let plan: Vec<String> = plan.unwrap().map(Result::unwrap).collect();
        let of_runs: Vec<&String> = plan.iter().filter(|line| line.contains(" runs")).collect();
        assert!(of_runs.len() == 1 && of_runs[0].contains("INDEX runs_status (status=?)"), "{plan:#?}");
    }
}
