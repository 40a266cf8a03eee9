-- Batches: which items were pushed, so that a push that is tried again is known. They live as long as their run: the push of
-- the last item of a batch, its answer lost, is tried again when the run has started already.

create table pushes (
    workflow text collate "C" not null,
    gather text collate "C" not null,
    push text collate "C" not null,
    run_key uuid not null,
    item_hash bigint not null,
    primary key (workflow, gather, push)
);

create index pushes_run on pushes (run_key);
