-- Record the changes of a table from now on, if they are not recorded yet.
select follow_table($1)::text as done
