-- Take a token over from a run that has ended, or from an earlier generation of the same run, unless another call just did.
update hooks
set run_key = $2, position = $3, opened_at = $4, form = $5, form_by = $6, person = $7, ended = false
where token = $1 and run_key = $8 and position = $9
