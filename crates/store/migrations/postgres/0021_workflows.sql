-- What executors publish of their workflows, so that clients of other processes and languages see it: versions, and the schemas
-- of inputs and outputs where the code has them. It stays when the executors have left.
create table workflows (
    name text not null,
    version text not null,
    input_schema text,
    output_schema text,
    updated_at bigint not null,
    primary key (name, version)
);

-- The schemas of steps. An executor writes a step down when it first executes it.
create table workflow_steps (
    workflow text not null,
    version text not null,
    step text not null,
    input_schema text,
    output_schema text,
    primary key (workflow, version, step)
);
