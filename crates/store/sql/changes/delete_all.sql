-- Delete what is left of an earlier epoch.
delete from changes
