-- Import what a person has to do for a call of a run.
insert into person_requests (run_key, position, title, schema)
values ($1, $2, $3, $4)
