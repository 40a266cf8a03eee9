-- An owner lets go of a run that was taken from it. Only now may somebody else have it.
update runs
set executor = null, revoked = false, updated_at = $3
where run_key = $1 and executor = $2 and revoked = true
