-- Delete the fence of an executor that shut down: a missing fence stops a late batch just as a dead one does.
delete from fences
where executor = $1
