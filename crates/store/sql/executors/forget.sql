-- Delete dead executors that own no runs.
delete from executors
where dead and not exists (select 1 from runs where runs.executor = executors.executor)
