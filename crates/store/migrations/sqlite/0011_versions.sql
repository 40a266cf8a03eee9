-- Lists find the runs of any version but the first.

create index runs_version on runs (version) where version <> '1';
