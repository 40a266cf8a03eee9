-- Refuse messages that fit no call of their runs, which sets them aside. A message that was taken back meanwhile is gone, and
-- one that is being taken back is skipped. Messages are looked up by key, as in batch/consume.postgres.sql.
with free as materialized (
    select given.run_key, given.seq, given.refused, given.refused_at
    from unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[]) as given (run_key, seq, refused, refused_at)
    cross join lateral (
        select messages.seq
        from messages
        where messages.run_key = given.run_key and messages.seq = given.seq and coalesce(messages.consumed_by, -1) = -1
        offset 0
        for no key update skip locked
    ) as there
    where given.run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
)
update messages
set refused = free.refused, refused_at = free.refused_at
from free
where messages.run_key = free.run_key and messages.seq = free.seq
