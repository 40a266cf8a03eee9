-- Waits are over.
delete from waits
using unnest($1::uuid[], $2::bigint[]) as over (run_key, position)
where waits.run_key = over.run_key and waits.position = over.position
    and over.run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
