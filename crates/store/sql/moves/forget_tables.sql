-- Delete the progress of a finished move: the place of each table and where it came from.
delete from moves
where part <> 'to'
