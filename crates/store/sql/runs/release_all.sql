-- Release all runs that an executor still owns when it shuts down.
update runs
set last_executor = executor, executor = null,
    ready_at = case when revoked = true then ready_at else $2 end, revoked = false, updated_at = $2
where executor = $1
