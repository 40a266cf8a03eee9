-- Delete the rows of attempts that are no longer kept.
delete from attempts
using unnest($1::uuid[], $2::bigint[], $3::bigint[]) as old (run_key, position, attempt)
where attempts.run_key = old.run_key and attempts.position = old.position and attempts.attempt = old.attempt
    and old.run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
