-- Create a run that an executor has from the first moment.
insert into runs (
    run_key, id, workflow, version, status, executor, recoveries_max, created_at, updated_at, started_at, owners,
    input_hash, input
)
values (?1, ?2, ?3, '1', 'running', ?4, 100, ?5, ?5, ?5, 1, ?6, ?7)
