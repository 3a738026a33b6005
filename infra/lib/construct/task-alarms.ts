import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { Duration, Stack } from 'aws-cdk-lib/core'
import type { ServiceParameter } from '../parameter.ts'
import { type Alarms, metric } from './alarms.ts'

const MEMORY_PERCENT = 90
const CPU_PERCENT = 90
/** Answers 5xx in five minutes; one can be a client that broke off. */
const ERRORS = 5
const SLOW_SECONDS = 3
const FIVE_MINUTES = { period: Duration.minutes(5) }
const DAY = Duration.days(1)

export interface TaskAlarmsProps {
  readonly name: string
  readonly parameter: ServiceParameter
  /** The part of its ARN that metrics have as dimension. */
  readonly loadBalancer: string
  readonly targetGroup: string
}

/** The tasks, the load balancer before them, the state machines and AWS Backup. */
export function taskAlarms(alarms: Alarms, props: TaskAlarmsProps): void {
  const { name, parameter } = props
  for (const [id, wanted] of [
    ['Serve', parameter.minTasks],
    ['Work', parameter.workers],
  ] as const) {
    const one = { ClusterName: name, ServiceName: `${name}-${id.toLowerCase()}` }
    const command = id.toLowerCase()
    alarms.add(`${id}Tasks`, {
      text: `Fewer tasks of ${command} run than should. See the events of the service and the log of its tasks.`,
      metric: metric('ECS/ContainerInsights', 'RunningTaskCount', one, { statistic: Stats.MINIMUM }),
      below: wanted,
      periods: 5,
      silence: 'bad',
    })
    alarms.add(`${id}Memory`, {
      text: `The tasks of ${command} use more than 90 % of their memory. See what grows, or give them more.`,
      metric: metric('AWS/ECS', 'MemoryUtilization', one),
      above: MEMORY_PERCENT,
      periods: 5,
    })
    alarms.add(`${id}Processor`, {
      text: `The tasks of ${command} have used more than 90 % of their processors for a quarter of an hour.`,
      metric: metric('AWS/ECS', 'CPUUtilization', one, { statistic: Stats.AVERAGE }),
      above: CPU_PERCENT,
      periods: 15,
    })
  }
  const balancer = { LoadBalancer: props.loadBalancer }
  alarms.add('UnhealthyTasks', {
    text: 'The load balancer reaches a task of serve that does not respond. See the log of the tasks.',
    metric: metric('AWS/ApplicationELB', 'UnHealthyHostCount', {
      ...balancer,
      TargetGroup: props.targetGroup,
    }),
    above: 0,
    periods: 3,
  })
  alarms.add('ServerErrors', {
    text: 'More than five requests in five minutes failed within Akashi. Its log has each with an id.',
    metric: metric('AWS/ApplicationELB', 'HTTPCode_Target_5XX_Count', balancer, {
      statistic: Stats.SUM,
      ...FIVE_MINUTES,
    }),
    above: ERRORS,
  })
  alarms.add('SlowResponses', {
    text: 'One of a hundred requests takes longer than three seconds. See the processors of tasks and database.',
    metric: metric('AWS/ApplicationELB', 'TargetResponseTime', balancer, {
      statistic: 'p99',
      ...FIVE_MINUTES,
    }),
    above: SLOW_SECONDS,
    periods: 3,
  })
  const { partition, region, account } = Stack.of(alarms)
  for (const id of ['Snapshot', 'Install']) {
    const StateMachineArn = `arn:${partition}:states:${region}:${account}:stateMachine:${name}-${id.toLowerCase()}`
    alarms.add(`${id}Failed`, {
      text: `The state machine ${id.toLowerCase()} failed. Its log has the reason.`,
      metric: metric('AWS/States', 'ExecutionsFailed', { StateMachineArn }, { statistic: Stats.SUM }),
      above: 0,
    })
  }
  alarms.add('DailyBackup', {
    text: 'AWS Backup completed no backup in two days. See its jobs, and the notices of this topic.',
    metric: metric(
      'AWS/Backup',
      'NumberOfBackupJobsCompleted',
      { BackupVaultName: name },
      {
        statistic: Stats.SUM,
        period: DAY,
      },
    ),
    below: 1,
    periods: 2,
    silence: 'bad',
  })
}
