-- Delete a message that no call has taken; while an executor has the run, only one that was refused.
delete from messages
where run_key = $1 and seq = $2 and consumed_by is null and (refused is not null or $3)
returning topic, key, coalesce(place, seq) as place
