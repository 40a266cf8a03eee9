-- Count the delayed, waiting and running runs of a queue, and find when the oldest waiting one was created.
select
    (select count(*) from runs where queue = $1 and status = 'delayed') as delayed,
    (select count(*) from runs where queue = $1 and status = 'enqueued') as waiting,
    (select count(*) from runs where queue = $1 and (status = 'running' or executor is not null)) as running,
    (select min(created_at) from runs where queue = $1 and status = 'enqueued') as oldest
