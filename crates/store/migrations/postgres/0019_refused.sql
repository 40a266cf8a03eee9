-- A message that fits no call that waits for one is kept and set aside: why, in a sentence, and since when. One that replaces another
-- keeps the place of that one in the order of its topic.
alter table messages add column place bigint, add column refused text, add column refused_at bigint;

create index messages_refused on messages (run_key, topic, seq) where refused is not null and consumed_by is null;

-- What a call takes that waits for messages, and a hook, as far as that is known, and the executor that wrote it down: another one may
-- have other code.
alter table waits add column form text, add column form_by text collate "C";
alter table hooks add column form text, add column form_by text collate "C";
