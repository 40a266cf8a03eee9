-- Notes that the body of a step made, as a JSON object: with the result of the step, and with each failed attempt before it.
alter table checkpoints add column notes text;
alter table attempts add column notes text;

-- The generation of a run that continued with another input, and the position of the first call of that generation. Positions are
-- counted on, so that nothing of an earlier generation has the position of a call of a later one. Null in the first generation.
alter table runs add column generation bigint;
alter table runs add column first_position bigint;
