-- Runs wait. A wait that is there already, from before a crash, keeps its time.
insert into waits (run_key, position, kind, name, due_at, child_key, topic, target, since)
select run_key, position, kind, name, due_at, child_key, topic, target, since
from unnest(
    $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::uuid[], $7::text[], $8::text[], $9::bigint[]
) as new (run_key, position, kind, name, due_at, child_key, topic, target, since)
where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
on conflict (run_key, position) do nothing
