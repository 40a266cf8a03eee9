-- Delete a queue. What was started for its rate stays until it is over: a queue of that name may come back before that.
delete from queues
where name = $1
