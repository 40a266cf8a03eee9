-- Mark a paused run as paused with its descendants.
update runs
set paused_with = run_key
where run_key = $1 and status = 'paused' and paused_with is null
