-- Let a run that starts later start at another time.
update runs
set ready_at = $2, updated_at = $3
where run_key = $1 and status = 'delayed'
