-- Register a token unless it is taken.
insert into hooks (token, run_key, position, opened_at, form, form_by)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
