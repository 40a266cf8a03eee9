-- What a fork takes over of the run that it is made of.
select id, workflow, version, recoveries_max, timeout, input_hash, identity, attributes, input, queue, priority, partition_key,
    generation, first_position, retry
from runs
where run_key = $1
