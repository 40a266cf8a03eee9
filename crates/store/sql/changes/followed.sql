-- Find whether anybody follows.
select exists (select 1 from followers) as is_followed
