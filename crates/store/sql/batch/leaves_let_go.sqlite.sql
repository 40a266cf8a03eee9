-- An owner lets go of a run that was taken from it. Only now may somebody else have it. One that was not taken, because the
-- owner heard of an older taking, is released: it is ready at once.
update runs
set ready_at = case when revoked = true then ready_at else $3 end, executor = null, revoked = false, updated_at = $3
where run_key = $1 and executor = $2
