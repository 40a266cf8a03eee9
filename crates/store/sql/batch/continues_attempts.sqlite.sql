-- Delete the attempts of a run whose next generation begins, except those that say which chunks of its streams count.
delete from attempts
where run_key = $1
    and not exists (select 1 from streams s where s.run_key = attempts.run_key and s.position = attempts.position)
