-- Record which runs change no longer.
drop trigger if exists changes_of_runs_insert;
drop trigger if exists changes_of_runs_update;
drop trigger if exists changes_of_runs_delete;
drop trigger if exists changes_of_checkpoints_insert;
drop trigger if exists changes_of_attempts_insert;
drop trigger if exists changes_of_attempts_update;
drop trigger if exists changes_of_waits_insert;
drop trigger if exists changes_of_waits_delete;
drop trigger if exists changes_of_messages_insert;
drop trigger if exists changes_of_messages_update;
drop trigger if exists changes_of_messages_delete;
drop trigger if exists changes_of_events_insert;
drop trigger if exists changes_of_events_update;
drop trigger if exists changes_of_hooks_insert;
drop trigger if exists changes_of_hooks_delete;
