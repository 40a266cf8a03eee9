-- Import a hook token of a run, unless a run that has not ended holds it.
insert into hooks (run_key, token, position, opened_at, person)
values ($1, $2, $3, $4, $5)
on conflict (token) do update set
    run_key = excluded.run_key, position = excluded.position, opened_at = excluded.opened_at, person = excluded.person,
    form = null, form_by = null, ended = false
where not exists (select 1 from runs where runs.run_key = hooks.run_key and runs.finished_at is null)
