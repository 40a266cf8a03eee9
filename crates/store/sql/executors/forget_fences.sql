-- Forget the fences of executors that are forgotten.
delete from fences
where dead and not exists (select 1 from executors where executors.executor = fences.executor)
