-- Let a gathering run accept no more inputs. Its start time stays.
update runs
set updated_at = $2, gather = null
where run_key = $1 and status = 'delayed'
