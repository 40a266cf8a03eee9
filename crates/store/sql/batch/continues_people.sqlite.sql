-- Forget what people had to do before the next generation of a run began.
delete from person_requests
where run_key = $1
