-- Who has a token.
select run_key, position
from hooks
where token = $1
