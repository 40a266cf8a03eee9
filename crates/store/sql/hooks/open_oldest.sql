-- Sort the oldest hooks first.
order by h.opened_at, h.token
limit $9
