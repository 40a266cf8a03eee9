-- How many runs of a queue are to come, wait and run, and since when the oldest of those that wait is there.
select
    (select count(*) from runs where queue = $1 and status = 'delayed') as delayed,
    (select count(*) from runs where queue = $1 and status = 'enqueued') as waiting,
    (select count(*) from runs where queue = $1 and (status = 'running' or executor is not null)) as running,
    (select min(created_at) from runs where queue = $1 and status = 'enqueued') as oldest
