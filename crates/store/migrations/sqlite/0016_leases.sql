-- How long an executor may say nothing before it is declared dead, in microseconds. Not known of one that an older version runs.
alter table executors add column lease integer;
