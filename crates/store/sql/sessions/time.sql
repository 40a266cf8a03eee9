-- What time it is on the server.
select (extract(epoch from clock_timestamp()) * 1000000)::bigint as at
