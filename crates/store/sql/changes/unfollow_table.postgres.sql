-- Record the changes of a table no longer.
select unfollow_table($1)::text as done
