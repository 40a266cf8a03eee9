-- End hooks whose run returns without closing them: they are not listed as open any more, and sending to one still says that
-- its run has ended.
update hooks
set ended = true
from unnest($1::uuid[], $2::bigint[]) as over (run_key, position)
where hooks.run_key = over.run_key and hooks.position = over.position
    and over.run_key <> all ((select current_setting('onward.refused')::uuid[])::uuid[])
