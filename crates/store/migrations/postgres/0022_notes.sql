-- Notes that the body of a step made, as a JSON object: with the result of the step, and with each failed attempt before it.
alter table checkpoints add column notes text;
alter table attempts add column notes text;
