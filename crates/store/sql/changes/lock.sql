-- Lock the state of the feed, and read it. Everything that begins or ends the recording of changes does this first, and looks for
-- followers in a later statement.
select epoch, installed
from feed
for update
