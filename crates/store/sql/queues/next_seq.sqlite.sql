-- A place in the order of arrival, with room for a chunk of runs behind it.
update queue_seq
set last = last + 1000
returning last as seq
