-- disposable: lifecycle.policies
drop view lifecycle.partition_headroom;
drop function lifecycle.create_partitions(regclass, timestamptz, timestamptz);
drop function lifecycle.apply_partitions(timestamptz);
drop function lifecycle.plan_partitions(timestamptz);
drop function lifecycle.create_partition(regclass, timestamptz);
drop type lifecycle.partition_action;
drop function lifecycle.partition_bounds(regclass);
drop function lifecycle.partition_name(text, timestamptz, text);
drop function lifecycle.partition_to(timestamptz, text);
drop function lifecycle.partition_from(timestamptz, text);
drop function audit.guard(regclass);
drop function audit.refuse_change();
drop table lifecycle.policies;
