-- Import a hook token of a run, unless a run that has not ended holds it.
insert into hooks (run_key, token, position, opened_at)
values ($1, $2, $3, $4)
on conflict (token) do update set
    run_key = excluded.run_key, position = excluded.position, opened_at = excluded.opened_at
where not exists (select 1 from runs where runs.run_key = hooks.run_key and runs.finished_at is null)
