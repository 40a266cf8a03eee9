-- Delete what people had to do for deleted runs.
delete from person_requests
where run_key = any($1)
