-- Delete the waits of a run whose next generation begins.
delete from waits
where run_key = $1
