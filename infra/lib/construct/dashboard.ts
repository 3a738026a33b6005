import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  LogQueryWidget,
} from 'aws-cdk-lib/aws-cloudwatch'
import { Duration } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { type Alarms, metric } from './alarms.ts'

const WIDTH = 24
const HALF = 12

export interface DashboardProps {
  readonly name: string
  readonly alarms: Alarms
  /** Of the load balancer. */
  readonly requests: readonly IMetric[]
}

/** One page: every alarm, the record, the database, the tasks, and the slow statements. */
export function dashboard(
  scope: Construct,
  id: string,
  { name, alarms, requests }: DashboardProps,
): Dashboard {
  const akashi = (metricName: string) => metric('Akashi', metricName, { Environment: name })
  const database = (metricName: string) => metric('AWS/RDS', metricName, { DBClusterIdentifier: name })
  const tasks = (metricName: string, service: string) =>
    metric('AWS/ECS', metricName, { ClusterName: name, ServiceName: `${name}-${service}` })
  const graph = (title: string, ...left: IMetric[]) => new GraphWidget({ title, left, width: HALF })
  return new Dashboard(scope, id, {
    dashboardName: name,
    defaultInterval: Duration.hours(12),
    widgets: [
      [new AlarmStatusWidget({ title: 'Alarms', alarms: alarms.all, width: WIDTH, height: 6 })],
      [
        graph('Record: rows not sealed, seconds held', akashi('UnsealedRows'), akashi('FrontierHeldTime')),
        graph(
          'Record: age of verification, backup, drill',
          akashi('VerificationAge'),
          akashi('BackupAge'),
          akashi('DrillAge'),
        ),
      ],
      [
        graph('Cross-check: bytes behind', akashi('CrossCheckLag'), database('OldestReplicationSlotLag')),
        graph(
          'Open alarms of Akashi',
          ...['CriticalAlarms', 'HighAlarms', 'MediumAlarms', 'LowAlarms'].map(akashi),
        ),
      ],
      [
        graph('Database: capacity', database('ServerlessDatabaseCapacity'), database('ACUUtilization')),
        graph('Database: connections, deadlocks', database('DatabaseConnections'), database('Deadlocks')),
      ],
      [
        graph('Database: storage', database('VolumeBytesUsed')),
        graph('Database: lag of readers', database('AuroraReplicaLagMaximum')),
      ],
      [
        graph('Tasks: processor', tasks('CPUUtilization', 'serve'), tasks('CPUUtilization', 'work')),
        graph('Tasks: memory', tasks('MemoryUtilization', 'serve'), tasks('MemoryUtilization', 'work')),
      ],
      [
        new GraphWidget({ title: 'Requests: number, errors, time', left: [...requests], width: HALF }),
        new LogQueryWidget({
          title: 'Slow statements',
          logGroupNames: [`/aws/rds/cluster/${name}/postgresql`],
          queryLines: [
            'fields @timestamp, @message',
            'filter @message like /LOG:  duration:/',
            'sort @timestamp desc',
            'limit 50',
          ],
          width: HALF,
        }),
      ],
    ],
  })
}
