-- Delete the fences of executors that were deleted.
delete from fences
where dead and not exists (select 1 from executors where executors.executor = fences.executor)
