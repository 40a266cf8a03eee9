-- Allocate a place in the order of arrival, with room for a chunk of runs after it.
update queue_seq
set last = last + 1000
returning last as seq
