-- An executor that shut down takes its fence with it: an absent fence stops a late batch as a dead one does.
delete from fences
where executor = $1
