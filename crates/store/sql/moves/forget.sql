-- Forget a part of a move.
delete from moves
where part = $1
