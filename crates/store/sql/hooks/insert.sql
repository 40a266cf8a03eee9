-- Register a token unless it is taken.
insert into hooks (token, run_key, position, opened_at, form, form_by, person)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing
