-- A move to another database: where it goes (part 'to'), where it comes from ('from'), and how far each table is.
create table moves (
    part text collate "C" primary key,
    id text collate "C" not null,
    place text not null,
    done boolean not null,
    upto text,
    noted_at bigint not null
);
