import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { CfnMetricFilter } from 'aws-cdk-lib/aws-logs'
import { Duration } from 'aws-cdk-lib/core'
import { maxConnections } from '../max-connections.ts'
import type { DatabaseParameter } from '../parameter.ts'
import { type Alarms, metric } from './alarms.ts'

/** Limits of the requirements. */
const CONNECTIONS_SHARE = 0.7
const DISK_SHARE = 0.75
/** The largest volume that every version of Aurora PostgreSQL has; it reports no remaining space. */
const VOLUME_BYTES = 128 * 1024 ** 4
/** A reader follows within a tenth of a second; it is restarted when it falls far behind. */
const REPLICA_LAG_MS = 1_000
const SLOT_LAG_BYTES = 1024 ** 3
/** PostgreSQL refuses writes at about 2,100 million. */
const TRANSACTION_IDS = 1_000_000_000
const CAPACITY_PERCENT = 95
const FIVE_MINUTES = Duration.minutes(5)

export interface DatabaseAlarmsProps {
  readonly name: string
  readonly parameter: DatabaseParameter
  /** Whether logical replication is on. */
  readonly crossCheck: boolean
}

/** What Aurora itself reports. */
export function databaseAlarms(alarms: Alarms, { name, parameter, crossCheck }: DatabaseAlarmsProps): void {
  const cluster = { DBClusterIdentifier: name }
  const of = (metricName: string) => metric('AWS/RDS', metricName, cluster)
  alarms.add('DatabaseConnections', {
    text: 'More than 70 % of the connections of an instance are in use. Find the client that opens most of them (pg_stat_activity), or raise maxCapacity.',
    metric: of('DatabaseConnections'),
    above: Math.floor(CONNECTIONS_SHARE * maxConnections(parameter)),
  })
  alarms.add('DatabaseDisk', {
    text: 'The cluster volume has reached 75 % of the largest that Aurora has. Archive and drop old partitions: akashi archive.',
    metric: metric('AWS/RDS', 'VolumeBytesUsed', cluster, { period: FIVE_MINUTES }),
    above: DISK_SHARE * VOLUME_BYTES,
  })
  new CfnMetricFilter(alarms, 'SlowStatements', {
    filterName: 'slow-statements',
    logGroupName: `/aws/rds/cluster/${name}/postgresql`,
    // What log_min_duration_statement writes, of statements that took three seconds.
    filterPattern: '"LOG:  duration:"',
    metricTransformations: [
      {
        metricNamespace: `Akashi/${name}`,
        metricName: 'SlowStatements',
        metricValue: '1',
        defaultValue: 0,
      },
    ],
  })
  alarms.add('SlowStatement', {
    text: 'A statement took three seconds or more. It is in the log of the database; see what it waits for.',
    metric: metric(`Akashi/${name}`, 'SlowStatements', {}, { statistic: Stats.SUM }),
    above: 0,
  })
  alarms.add('Deadlock', {
    text: 'Transactions deadlocked. The log of the database names both statements; have the application lock rows in the same order.',
    metric: of('Deadlocks'),
    above: 0,
  })
  alarms.add('ReplicaLag', {
    text: 'A reader is more than a second behind. See its processor and its capacity.',
    metric: of('AuroraReplicaLagMaximum'),
    above: REPLICA_LAG_MS,
    periods: 5,
  })
  if (crossCheck) {
    alarms.add('ReplicationSlotLag', {
      text: 'The slot of the cross-check keeps a gigabyte of WAL. See whether the worker runs: akashi crosscheck.',
      metric: of('OldestReplicationSlotLag'),
      above: SLOT_LAG_BYTES,
      periods: 15,
    })
  }
  alarms.add('TransactionIds', {
    text: 'Transaction ids are not being frozen. End what holds vacuum back: old transactions, prepared ones, idle slots.',
    metric: metric('AWS/RDS', 'MaximumUsedTransactionIDs', cluster, { period: FIVE_MINUTES }),
    above: TRANSACTION_IDS,
  })
  alarms.add('DatabaseCapacity', {
    text: 'The database is at its highest capacity. Find what costs it (Database Insights), or raise maxCapacity.',
    metric: of('ACUUtilization'),
    above: CAPACITY_PERCENT,
    periods: 15,
  })
}
