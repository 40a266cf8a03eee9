-- Delete the streams of runs that are deleted.
delete from streams
where run_key = any($1)
