-- disposable: lifecycle.settings, lifecycle.policies
drop view lifecycle.partition_headroom;
drop function lifecycle.drain_default(regclass, integer),
  lifecycle.create_partitions(regclass, timestamptz, timestamptz), lifecycle.apply_partitions(timestamptz),
  lifecycle.plan_partitions(timestamptz), lifecycle.missing_partitions(regclass, timestamptz),
  lifecycle.create_partition(regclass, timestamptz), lifecycle.make_partition(regclass, text, timestamptz, timestamptz),
  lifecycle.attach_prepared(regclass, regclass, timestamptz, timestamptz),
  lifecycle.prepare_partition(regclass, text, timestamptz, timestamptz), lifecycle.policy_of(regclass),
  lifecycle.piece_name(text, text, tstzrange), lifecycle.uncovered(regclass, timestamptz, timestamptz),
  lifecycle.default_partition(regclass), lifecycle.partition_name(text, timestamptz, text),
  lifecycle.partition_to(timestamptz, text), lifecycle.partition_from(timestamptz, text),
  lifecycle.hold(text, text, boolean, text), lifecycle.set_policy(text, text, jsonb, text), lifecycle.setting(text);
drop table lifecycle.policies, lifecycle.settings;
drop function lifecycle.partition_bounds(regclass);
drop type lifecycle.partition_action;
