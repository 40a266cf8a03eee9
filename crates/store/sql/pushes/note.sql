-- Record that a run accepted a push. An existing record stays, unless its run is gone: a release that knows nothing of pushes
-- deleted that run.
insert into pushes (workflow, gather, push, run_key, item_hash)
values ($1, $2, $3, $4, $5)
on conflict (workflow, gather, push) do update set run_key = excluded.run_key, item_hash = excluded.item_hash
where not exists (select 1 from runs where run_key = pushes.run_key)
