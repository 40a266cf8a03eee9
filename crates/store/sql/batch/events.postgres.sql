-- Set events: the latest value of each.
insert into events (run_key, key, value, updated_at)
select run_key, key, value, updated_at
from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) as new (run_key, key, value, updated_at)
where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
on conflict (run_key, key) do update set value = excluded.value, updated_at = excluded.updated_at
