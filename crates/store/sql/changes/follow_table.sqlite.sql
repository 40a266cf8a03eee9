-- Record which runs change from now on, if it is not recorded yet. One script for all tables: a writer has the file to itself.
create trigger if not exists changes_of_runs_insert after insert on runs begin
    insert into changes (run_key) values (new.run_key);
end;

create trigger if not exists changes_of_runs_update after update on runs begin
    insert into changes (run_key) values (new.run_key);
end;

create trigger if not exists changes_of_checkpoints_insert after insert on checkpoints begin
    insert into changes (run_key) values (new.run_key);
end;

create trigger if not exists changes_of_attempts_insert after insert on attempts begin
    insert into changes (run_key) values (new.run_key);
end;

create trigger if not exists changes_of_attempts_update after update on attempts begin
    insert into changes (run_key) values (new.run_key);
end;

create trigger if not exists changes_of_waits_insert after insert on waits begin
    insert into changes (run_key) values (new.run_key);
end;

create trigger if not exists changes_of_waits_delete after delete on waits begin
    insert into changes (run_key) values (old.run_key);
end;

create trigger if not exists changes_of_messages_insert after insert on messages begin
    insert into changes (run_key) values (new.run_key);
end;

create trigger if not exists changes_of_messages_update after update on messages begin
    insert into changes (run_key) values (new.run_key);
end;

create trigger if not exists changes_of_messages_delete after delete on messages begin
    insert into changes (run_key) values (old.run_key);
end;

create trigger if not exists changes_of_events_insert after insert on events begin
    insert into changes (run_key) values (new.run_key);
end;

create trigger if not exists changes_of_events_update after update on events begin
    insert into changes (run_key) values (new.run_key);
end;

create trigger if not exists changes_of_hooks_insert after insert on hooks begin
    insert into changes (run_key) values (new.run_key);
end;

create trigger if not exists changes_of_hooks_delete after delete on hooks begin
    insert into changes (run_key) values (old.run_key);
end;

create trigger if not exists changes_of_runs_delete after delete on runs begin
    insert into changes (run_key, id, workflow, version, status, updated_at)
    values (old.run_key, old.id, old.workflow, old.version, old.status, old.updated_at);
end;
