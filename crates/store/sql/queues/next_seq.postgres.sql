-- Allocate a place in the order of arrival, with room for a chunk of runs after it.
select nextval('queue_seq') as seq
