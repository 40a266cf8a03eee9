-- Documents: JSON values by kind and id, for programs around the runs. `written_by` is the call that wrote the version: a call that
-- lost the answer to its commit recognizes its own.
create table documents (
    kind text collate "C" not null,
    id text collate "C" not null,
    version bigint not null,
    value text not null,
    created_at bigint not null,
    updated_at bigint not null,
    written_by text collate "C" not null,
    primary key (kind, id)
);
