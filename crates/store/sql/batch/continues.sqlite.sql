-- Begin the next generation of a run. With $7 it is the next attempt, which has the same input and begins at $6; otherwise it has a
-- new input and is released ready. Progress in earlier generations is progress, so recoveries are counted from 0.
update runs
set generation = coalesce(generation, 1) + 1, first_position = $4, input = case when $7 is null then $5 else input end,
    retrying = $7, status = case when $7 is null then status else 'delayed' end, gather = null,
    recoveries = 0, recovered_seq = null, last_executor = executor, executor = null, ready_at = $6, updated_at = $3
where run_key = $1 and executor = $2 and revoked = false
