-- Read whether anything of the feed needs tending.
select epoch is not null or installed as is_in_use
from feed
