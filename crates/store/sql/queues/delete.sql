-- Delete a queue. Its recorded starts stay until they expire: a queue of that name may be created again before that.
delete from queues
where name = $1
