-- Create a run like another one, for whoever may claim it. Where $8 is true it has an input of its own.
insert into runs (
    run_key, id, workflow, version, status, ready_at, recoveries_max, created_at, updated_at, timeout, input_hash,
    identity, attributes, input, forked_from, fork_position
)
select
    $2, $3, workflow, coalesce($4, version), 'enqueued', $5, recoveries_max, $5, $5, coalesce($6, timeout),
    coalesce($7, input_hash), identity, attributes, case when $8 then $9 else input end, run_key, $10
from runs
where run_key = $1
on conflict do nothing
