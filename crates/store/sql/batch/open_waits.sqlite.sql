-- Open a wait. A wait that already exists, from before a crash, keeps its due time; only the form that its call accepts, and
-- whether it waits for a person, may change.
insert into waits (run_key, position, kind, name, due_at, child_key, topic, target, since, form, form_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (run_key, position) do update set form = excluded.form, form_by = excluded.form_by,
    kind = case
        when waits.kind in ('message', 'person') and excluded.kind in ('message', 'person') then excluded.kind
        else waits.kind
    end
where waits.form is distinct from excluded.form or waits.form_by is distinct from excluded.form_by
    or (waits.kind <> excluded.kind and waits.kind in ('message', 'person') and excluded.kind in ('message', 'person'))
