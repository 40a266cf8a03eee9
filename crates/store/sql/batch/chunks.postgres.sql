-- Append chunks to streams, each under the index that the owner of the run gave it.
insert into streams (run_key, key, idx, position, attempt, kind, body, bytes, appended_at)
select run_key, key, idx, position, attempt, kind, body, bytes, appended_at
from unnest(
    $1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bytea[], $9::bigint[]
) as new (run_key, key, idx, position, attempt, kind, body, bytes, appended_at)
where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
