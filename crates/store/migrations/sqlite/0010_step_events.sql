-- A step sets events, too, several of them, and each again when it is tried again.

create table event_history_by_key (
    run_key blob not null,
    position integer not null,
    key text not null,
    value text not null,
    set_at integer not null,
    primary key (run_key, position, key)
) without rowid;

insert into event_history_by_key (run_key, position, key, value, set_at)
select run_key, position, key, value, set_at
from event_history;

drop table event_history;

alter table event_history_by_key rename to event_history;
