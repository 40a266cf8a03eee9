-- Begin the next generation of a run: it has a new input, and is released ready. Progress in earlier generations is progress, so
-- recoveries are counted from 0.
update runs
set generation = coalesce(generation, 1) + 1, first_position = $4, input = $5, recoveries = 0, recovered_seq = null,
    last_executor = executor, executor = null, ready_at = $3, updated_at = $3
where run_key = $1 and executor = $2 and revoked = false
