-- A run that gathers has another input, and starts at another time.
update runs
set input = $2, input_hash = $3, ready_at = $4, updated_at = $5
where run_key = $1 and status = 'delayed'
