-- Indexes by which lists find the few runs that have an attribute or a partition, or took long.

-- The attributes of runs by their values, except for lists and objects, which no filter compares. A long text is cut: this table
-- finds the runs that may match, and a search compares their attributes again. A run without attributes has no row.
create table run_attributes (
    name text not null,
    -- Without a type, so that numbers and texts stay what they are. An empty blob is a null.
    value blob not null,
    run_key blob not null,
    primary key (name, value, run_key)
) without rowid;

-- What the rows of a run in that table have to be.
create view attribute_values (name, value, run_key) as
select has.key, case has.type when 'text' then substr(has.atom, 1, 100) when 'null' then x'' else has.atom end, runs.run_key
from runs
join json_each(runs.attributes) as has
where has.type not in ('array', 'object');

create trigger run_attributes_begin
after insert on runs
when new.attributes is not null
begin
    insert into run_attributes (name, value, run_key)
    select distinct name, value, run_key
    from attribute_values
    where run_key = new.run_key;
end;

-- Before the change, while the view still has the old values.
create trigger run_attributes_leave
before update of attributes on runs
when old.attributes is not new.attributes
begin
    delete from run_attributes
    where (name, value) in (select name, value from attribute_values where run_key = old.run_key) and run_key = old.run_key;
end;

create trigger run_attributes_change
after update of attributes on runs
when old.attributes is not new.attributes
begin
    insert into run_attributes (name, value, run_key)
    select distinct name, value, run_key
    from attribute_values
    where run_key = new.run_key;
end;

create trigger run_attributes_end
before delete on runs
when old.attributes is not null
begin
    delete from run_attributes
    where (name, value) in (select name, value from attribute_values where run_key = old.run_key) and run_key = old.run_key;
end;

insert into run_attributes (name, value, run_key)
select distinct name, value, run_key
from attribute_values;

-- Runs without a partition are not in it.
create index runs_partition on runs (partition_key) where partition_key is not null;

-- Runs that took a tenth of a second or longer: for them an entry is cheap, and short runs pay nothing.
drop index runs_long;
create index runs_long on runs (finished_at - started_at) where finished_at - started_at >= 100000;
