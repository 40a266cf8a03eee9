-- The feed of changes: which runs changed, for those who follow them. While nobody follows, no trigger exists and nothing is
-- written here.

-- Whether changes are recorded: then there is an epoch. Whether triggers may exist. Up to where changes may be gone.
create table feed (
    one boolean primary key default true check (one),
    epoch text collate "C",
    installed boolean not null default false,
    pruned text
);

insert into feed default values;

-- Who follows, and until when, if it does not renew it.
create table followers (
    follower text collate "C" primary key,
    expires_at bigint not null
);

-- The runs that changed. Numbers are not in the order of commits, so a reader goes by the transaction: new is what it did not
-- see in its last snapshot. A run that was deleted leaves what identifies it.
create table changes (
    seq bigint generated always as identity primary key,
    xid xid8 not null default pg_current_xact_id(),
    run_key uuid not null,
    id text collate "C",
    workflow text collate "C",
    version text collate "C",
    status text collate "C",
    updated_at bigint
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

create index changes_xid on changes (xid);

-- What could be seen at a time, so that changes can be deleted by their age.
create table change_marks (
    at bigint primary key,
    upto text not null,
    seq bigint not null
);

create function note_changes() returns trigger language plpgsql as $$
begin
    insert into changes (run_key) select distinct run_key from touched;
    return null;
end
$$;

create function note_deleted_runs() returns trigger language plpgsql as $$
begin
    insert into changes (run_key, id, workflow, version, status, updated_at)
    select run_key, id, workflow, version, status, updated_at from touched;
    return null;
end
$$;

-- The writes of each table that change a run.
create function followed_writes(of_table text) returns text[] language sql immutable as $$
    select case of_table
        when 'runs' then array['insert', 'update', 'delete']
        when 'checkpoints' then array['insert']
        when 'attempts' then array['insert', 'update']
        when 'waits' then array['insert', 'delete']
        when 'messages' then array['insert', 'update', 'delete']
        when 'events' then array['insert', 'update']
        when 'hooks' then array['insert', 'delete']
        else array[]::text[]
    end
$$;

-- Record the changes of a table from now on. It runs as the owner of the tables, so that every role that may read runs may follow
-- them. Creating a trigger waits for the transactions that have written to the table: none of them is missed.
create function follow_table(of_table text) returns void language plpgsql security definer set search_path from current as $$
declare
    what text;
    rows_of text;
    noted text;
begin
    foreach what in array followed_writes(of_table) loop
        if not exists (
            select 1
            from pg_trigger
            where tgrelid = format('%I.%I', current_schema(), of_table)::regclass and tgname = 'changes_' || what
        ) then
            rows_of := case what when 'delete' then 'old' else 'new' end;
            noted := case when of_table = 'runs' and what = 'delete' then 'note_deleted_runs' else 'note_changes' end;
            execute format(
                'create trigger %I after %s on %I.%I referencing %s table as touched for each statement execute function %I.%I()',
                'changes_' || what, what, current_schema(), of_table, rows_of, current_schema(), noted
            );
        end if;
    end loop;
end
$$;

-- Record the changes of a table no longer.
create function unfollow_table(of_table text) returns void language plpgsql security definer set search_path from current as $$
declare
    what text;
begin
    foreach what in array followed_writes(of_table) loop
        execute format('drop trigger if exists %I on %I.%I', 'changes_' || what, current_schema(), of_table);
    end loop;
end
$$;
