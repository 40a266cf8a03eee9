-- Sort the newest hooks first.
order by h.opened_at desc, h.token desc
limit $9
