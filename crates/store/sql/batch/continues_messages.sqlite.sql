-- Delete the messages that a run took before its next generation began. Those with a key of their sender stay, because the key
-- keeps a repeat from being delivered.
delete from messages
where run_key = $1 and consumed_by is not null and (key is null or key like 'onward:%')
