-- The limits of a queue that code declares, and those that an operator set in their place, each as JSON. Null in `declared`: the
-- limits are from an Onward that did not tell the two apart, and count as declared. Null in `overridden`: nothing is overridden.
alter table queues add column declared text;
alter table queues add column overridden text;
