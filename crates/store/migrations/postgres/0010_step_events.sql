-- A step sets events, too, several of them, and each again when it is tried again.

alter table event_history drop constraint event_history_pkey, add primary key (run_key, position, key);
