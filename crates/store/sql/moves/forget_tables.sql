-- Forget how far the tables of a move are, and where it came from: it is done.
delete from moves
where part <> 'to'
