-- disposable: akashi_lifecycle.settings, akashi_lifecycle.policies, akashi_lifecycle.shortenings
drop view akashi_lifecycle.partition_headroom, akashi_lifecycle.retention;
drop function akashi_lifecycle.drain_default(regclass, integer),
  akashi_lifecycle.max_partitions(regclass), akashi_lifecycle.create_partitions(regclass, timestamptz, timestamptz), akashi_lifecycle.create_partitions(regclass, timestamptz[]), akashi_lifecycle.apply_partitions(timestamptz, integer),
  akashi_lifecycle.plan_partitions(timestamptz), akashi_lifecycle.missing_partitions(regclass, timestamptz),
  akashi_lifecycle.create_partition(regclass, timestamptz), akashi_lifecycle.lock_partitions(regclass), akashi_lifecycle.make_partition(regclass, text, timestamptz, timestamptz),
  akashi_lifecycle.attach_prepared(regclass, regclass, timestamptz, timestamptz),
  akashi_lifecycle.prepare_partition(regclass, text, timestamptz, timestamptz), akashi_lifecycle.policy_of(regclass),
  akashi_lifecycle.piece_name(text, text, tstzrange), akashi_lifecycle.uncovered(regclass, timestamptz, timestamptz),
  akashi_lifecycle.default_partition(regclass), akashi_lifecycle.partition_name(text, timestamptz, text, text),
  akashi_lifecycle.partition_to(timestamptz, text), akashi_lifecycle.partition_from(timestamptz, text),
  akashi_lifecycle.hold(text, text, boolean, text), akashi_lifecycle.set_policy(text, text, jsonb, text), akashi_lifecycle.apply_shortenings(),
  akashi_lifecycle.defer_shortening(akashi_lifecycle.policies, akashi_lifecycle.policies, boolean, text, text), akashi_lifecycle.setting(text),
  akashi_lifecycle.own_table(text, text), akashi_lifecycle.code_of_others(oid), akashi_lifecycle.assert_archivable(regclass),
  akashi_lifecycle.missing_for_archive(regclass), akashi_lifecycle.fit_name(text, text);
drop table akashi_lifecycle.shortenings, akashi_lifecycle.policies, akashi_lifecycle.settings;
drop function akashi_lifecycle.partition_bounds(regclass);
drop type akashi_lifecycle.partition_action;
