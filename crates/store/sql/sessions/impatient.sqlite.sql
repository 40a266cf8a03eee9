-- Who writes a SQLite file has it alone, so there is no lock to wait for.
select 1 as setting
