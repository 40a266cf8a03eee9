-- Delete a payload that a resumed run no longer has.
delete from payloads
where run_key = $1 and kind = $2
