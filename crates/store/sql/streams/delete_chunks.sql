-- Delete the streams of deleted runs.
delete from streams
where run_key = any($1)
