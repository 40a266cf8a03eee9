-- An executor that shut down leaves.
delete from executors
where executor = $1
