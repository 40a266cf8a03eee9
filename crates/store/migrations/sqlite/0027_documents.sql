-- Documents: JSON values by kind and id, for programs around the runs. `written_by` is the call that wrote the version: a call that
-- lost the answer to its commit recognizes its own.
create table documents (
    kind text not null,
    id text not null,
    version integer not null,
    value text not null,
    created_at integer not null,
    updated_at integer not null,
    written_by text not null,
    primary key (kind, id)
);
