-- Release a revoked run on behalf of its owner. Only now may another executor own it. A run that is not revoked, because its
-- owner heard of an older revocation, is released ready.
update runs
set ready_at = case when revoked = true then ready_at else $3 end, last_executor = executor, executor = null,
    revoked = false, updated_at = $3
where run_key = $1 and executor = $2
