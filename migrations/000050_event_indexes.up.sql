-- An index by type and one by address took a third of what taking in an event costs the server, and more the larger
-- the day grew. Events of one address or user stand near each other, so it is enough to know for each block of pages
-- what it cannot hold: a Bloom filter for each column, made by autovacuum when the block is full. The INSERT pays
-- nothing for it. A block that is not full yet is read through.
set local role akashi_owner;

drop index security.security_events_type_idx, security.security_events_ip_idx, security.security_events_user_idx;
create index security_events_blocks_idx on security.security_events using brin (
  event_type text_bloom_ops (n_distinct_per_range = 50),
  source_ip inet_bloom_ops (n_distinct_per_range = 400),
  user_id uuid_bloom_ops (n_distinct_per_range = 400),
  user_name text_bloom_ops (n_distinct_per_range = 400)
) with (pages_per_range = 64, autosummarize = on);
