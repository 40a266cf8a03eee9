-- Read the server's time.
select (extract(epoch from clock_timestamp()) * 1000000)::bigint as at
