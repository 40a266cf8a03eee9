-- Forget dead executors that have no runs any more.
delete from executors
where dead and not exists (select 1 from runs where runs.executor = executors.executor)
