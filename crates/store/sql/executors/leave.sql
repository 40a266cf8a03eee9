-- Remove an executor that shut down.
delete from executors
where executor = $1
