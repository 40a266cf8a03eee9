-- Note whether triggers may exist.
update feed
set installed = $1
