-- Hooks are closed: their tokens are free.
delete from hooks
using unnest($1::uuid[], $2::bigint[]) as over (run_key, position)
where hooks.run_key = over.run_key and hooks.position = over.position
    and over.run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
