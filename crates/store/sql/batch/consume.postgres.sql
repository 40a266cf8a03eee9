-- Let calls consume messages that no call has consumed. A message that is missing or already consumed is a bug in Onward: a
-- text that is not a number is cast to bigint and fails the batch, just as a duplicate position does. Messages are looked up by
-- key: a plan made while there were none scanned all unconsumed messages through their partial index.
with wanted as materialized (
    select run_key, seq, position
    from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as given (run_key, seq, position)
    where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
),
consumed as (
    update messages
    set consumed_by = wanted.position
    from wanted
    where messages.run_key = wanted.run_key and messages.seq = wanted.seq and coalesce(messages.consumed_by, -1) = -1
    returning messages.seq
),
counted as materialized (
    select (select count(*) from wanted) - (select count(*) from consumed) as missing
)
select case missing when 0 then 0 else (missing || ' messages are consumed already')::bigint end as missing
from counted
