-- Take a token that nobody has.
insert into hooks (token, run_key, position, opened_at)
values ($1, $2, $3, $4)
on conflict do nothing
