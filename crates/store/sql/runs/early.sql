-- Whether a run started, by the clock of its executor, more than a minute before it was created by that of whoever did.
select exists (select 1 from runs where started_at < created_at - 60000000) as is_early
