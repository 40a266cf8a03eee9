-- Sort the newest runs first. The limit is in parentheses so that SQLite plans for its value: it decides between
-- the index of a filter and the order.
order by r.run_key desc
limit ($31)
