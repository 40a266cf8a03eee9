-- Indexes by which lists find the few runs that have an attribute or a partition, or took long.

-- The numbers among the attributes of runs; other values are found by the index on the attributes. A long name is cut, and a
-- number is rounded: this table finds the runs that may match, and a search compares their attributes again. A run without
-- numbers has no row.
create table run_attributes (
    name text collate "C" not null,
    value double precision not null,
    run_key uuid not null,
    primary key (name, value, run_key)
);

-- A number as the nearest one of 64 bits; the order of numbers is kept.
create function nearest_double(value numeric) returns double precision language sql immutable strict parallel safe as $$
    select case
        when abs(value) < 1e-300 then 0
        else least(greatest(value, -1.7976931348623157e308), 1.7976931348623157e308)::double precision
    end
$$;

create function index_numbers() returns trigger language plpgsql set search_path from current as $$
begin
    if tg_op <> 'INSERT' then
        delete from run_attributes
        using jsonb_each(old.attributes::jsonb) as had
        where run_attributes.name = left(had.key, 100) and jsonb_typeof(had.value) = 'number'
            and run_attributes.value = nearest_double(had.value::numeric) and run_attributes.run_key = old.run_key;
    end if;
    if tg_op <> 'DELETE' then
        insert into run_attributes (name, value, run_key)
        select distinct left(has.key, 100), nearest_double(has.value::numeric), new.run_key
        from jsonb_each(new.attributes::jsonb) as has
        where jsonb_typeof(has.value) = 'number';
    end if;
    return null;
end
$$;

-- The pattern finds a number after a colon. Attributes without one cost nothing more.
create trigger run_attributes_begin
after insert on runs
for each row when (new.attributes ~ ':\s*-?[0-9]')
execute function index_numbers();

create trigger run_attributes_change
after update of attributes on runs
for each row when (old.attributes is distinct from new.attributes)
execute function index_numbers();

create trigger run_attributes_end
after delete on runs
for each row when (old.attributes ~ ':\s*-?[0-9]')
execute function index_numbers();

insert into run_attributes (name, value, run_key)
select distinct left(has.key, 100), nearest_double(has.value::numeric), runs.run_key
from runs
cross join jsonb_each(runs.attributes::jsonb) as has
where runs.attributes ~ ':\s*-?[0-9]' and jsonb_typeof(has.value) = 'number';

-- Runs without a partition are not in it.
create index runs_partition on runs (partition_key, run_key) where partition_key is not null;

-- Runs that took a tenth of a second or longer: for them an entry is cheap, and short runs pay nothing.
drop index runs_long;
create index runs_long on runs ((finished_at - started_at), run_key) where finished_at - started_at >= 100000;
