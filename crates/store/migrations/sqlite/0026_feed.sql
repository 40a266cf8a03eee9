-- The feed of changes: which runs changed, for those who follow them. While nobody follows, no trigger exists and nothing is
-- written here.

-- Whether changes are recorded: then there is an epoch. Whether triggers may exist. Up to where changes may be gone.
create table feed (
    one integer primary key default 1 check (one = 1),
    epoch text,
    installed integer not null default 0,
    pruned text
);

insert into feed default values;

-- Who follows, and until when, if it does not renew it.
create table followers (
    follower text primary key,
    expires_at integer not null
) without rowid;

-- The runs that changed, in the order of commits. A number is never used again. A run that was deleted leaves what identifies it.
create table changes (
    seq integer primary key autoincrement,
    run_key blob not null,
    id text,
    workflow text,
    version text,
    status text,
    updated_at integer
);

-- What could be seen at a time, so that changes can be deleted by their age.
create table change_marks (
    at integer primary key,
    upto text not null,
    seq integer not null
);
