-- Facts by which lists find runs: where a run comes from, which executor had it last, and the code of its error. Counts of
-- runs that ended long ago.

-- Null for a run that a client started, which is what most are.
alter table runs add column origin text;

-- Written when an executor loses or releases the run, so that a row never has it beside the owner.
alter table runs add column last_executor text;

-- The code of `error`, also where that lies in `payloads`.
alter table runs add column error_code text;

update runs
set origin = case
        when origin_key is not null then 'imported'
        when fork_position = 0 then 'restarted'
        when forked_from is not null then 'forked'
        when parent_key is not null then 'child'
        when gathered is not null then 'batched'
        when gather is not null then 'debounced'
        -- Runs of schedules that were deleted cannot be told from others.
        when exists (
            select 1
            from schedules
            where schedules.workflow = runs.workflow and starts_with(runs.id, schedules.id || '@')
        ) then 'scheduled'
    end
where origin_key is not null or forked_from is not null or parent_key is not null or gathered is not null
    or gather is not null or strpos(id, '@') > 0;

update runs
set error_code = coalesce(error, (select body from payloads where run_key = runs.run_key and kind = 'error'))::json ->> 'code'
where status in ('failed', 'paused') or error is not null;

-- Only failed and held runs are in it.
create index runs_error on runs (error_code, run_key) where error_code is not null;

-- Children are found by their parents, and a run that a client started is in no index of origins.
create index runs_origins on runs (origin, run_key) where origin <> 'child';

-- Runs that took a second or longer: for them an entry is cheap, and short runs pay nothing.
create index runs_long on runs ((finished_at - started_at), run_key) where finished_at - started_at >= 1000000;

-- How many runs of a workflow ended in a state before a time. The rows of one workflow and state add up: what happens to a run
-- that was counted adds a row, and the next count makes one row of all.
create table run_counts (
    workflow text not null,
    status text not null,
    runs bigint not null
);

-- That time. Runs that ended later are counted when somebody asks.
create table run_counts_until (until bigint not null);

insert into run_counts_until (until) values (-9000000000000000000);
