-- Make a gathering run due because it is full: it accepts no more inputs.
update runs
set ready_at = $2, updated_at = $2, gather = null
where run_key = $1 and status = 'delayed'
