-- End a hook whose run returns without closing it: it is not listed as open any more, and sending to it still says that its run
-- has ended.
update hooks
set ended = true
where run_key = $1 and position = $2
