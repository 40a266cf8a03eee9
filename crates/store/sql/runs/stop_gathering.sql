-- A run that gathers takes no more. When it is due stays as it is.
update runs
set updated_at = $2, gather = null
where run_key = $1 and status = 'delayed'
