-- Delete a message that no call has consumed; while an executor owns the run, only a message that was refused.
delete from messages
where run_key = $1 and seq = $2 and consumed_by is null and (refused is not null or $3)
returning topic, key, coalesce(place, seq) as place
