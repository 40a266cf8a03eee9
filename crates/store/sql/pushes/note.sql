-- Note that a run took a push. A note that is there already stays, unless its run is gone: then who deleted that run did not
-- know of pushes.
insert into pushes (workflow, gather, push, run_key, item_hash)
values ($1, $2, $3, $4, $5)
on conflict (workflow, gather, push) do update set run_key = excluded.run_key, item_hash = excluded.item_hash
where not exists (select 1 from runs where run_key = pushes.run_key)
