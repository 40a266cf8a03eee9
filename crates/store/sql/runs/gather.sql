-- Replace the input and the start time of a run that gathers. It has $6 items if it gathers all inputs, and accepts no more if
-- $7 is true. If $8 is given, the input is for that version of the workflow.
update runs
set input = $2, input_hash = $3, ready_at = $4, updated_at = $5, gathered = $6,
    version = coalesce($8, version),
    gather = case when $7 then null else gather end
where run_key = $1 and status = 'delayed'
