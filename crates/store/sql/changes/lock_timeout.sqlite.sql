-- Do nothing: a SQLite file has one writer at a time, so there is no lock to wait for.
select $1 as setting
