-- Keep every value that events had; of those that one step set, the last.
insert into event_history (run_key, position, key, value, set_at)
select run_key, position, key, value, set_at
from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) as new (run_key, position, key, value, set_at)
where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
on conflict (run_key, position, key) do update set value = excluded.value, set_at = excluded.set_at
