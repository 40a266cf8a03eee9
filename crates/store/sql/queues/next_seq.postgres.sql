-- A place in the order of arrival, with room for a chunk of runs behind it.
select nextval('queue_seq') as seq
