-- Batches: which items were pushed, so that a push that is tried again is known. They live as long as their run: the push of
-- the last item of a batch, its answer lost, is tried again when the run has started already.

create table pushes (
    workflow text not null,
    gather text not null,
    push text not null,
    run_key blob not null,
    item_hash integer not null,
    primary key (workflow, gather, push)
) without rowid;

create index pushes_run on pushes (run_key);
