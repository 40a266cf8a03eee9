-- Delete one part of a move's progress.
delete from moves
where part = $1
