-- A move to another database: where it goes (part 'to'), where it comes from ('from'), and how far each table is.
create table moves (
    part text primary key,
    id text not null,
    place text not null,
    done integer not null,
    upto text,
    noted_at integer not null
) without rowid;
