-- Open waits. A wait that already exists, from before a crash, keeps its due time; only the form that its call accepts, and
-- whether it waits for a person, may change.
insert into waits (run_key, position, kind, name, due_at, child_key, topic, target, since, form, form_by)
select run_key, position, kind, name, due_at, child_key, topic, target, since, form, case when form is not null then $11 end
from unnest(
    $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::uuid[], $7::text[], $8::text[], $9::bigint[],
    $10::text[]
) as new (run_key, position, kind, name, due_at, child_key, topic, target, since, form)
where run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
on conflict (run_key, position) do update set form = excluded.form, form_by = excluded.form_by,
    kind = case
        when waits.kind in ('message', 'person') and excluded.kind in ('message', 'person') then excluded.kind
        else waits.kind
    end
where waits.form is distinct from excluded.form or waits.form_by is distinct from excluded.form_by
    or (waits.kind <> excluded.kind and waits.kind in ('message', 'person') and excluded.kind in ('message', 'person'))
