/** Who is told of what. */
import assert from 'node:assert/strict'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { readable } from '../support/readable.ts'
import type { Json } from '../support/template.ts'
import type { Check } from './check.ts'
import { complete, type ExactCheck, type Extent, exactly } from './exactly.ts'
import { administrationIn, serviceUse } from './key-settings.ts'
import { tagChecks } from './tags.ts'

const TOPIC = '<Topic/Topic>'

interface Expected {
  readonly metric: readonly [namespace: string, name: string]
  readonly of: Readonly<Record<string, string>>
  readonly statistic?: string
  readonly period?: number
  readonly above?: number
  readonly below?: number
  readonly periods?: number
  /** Missing values are bad. */
  readonly missing?: true
}

/** An alarm that goes to the topic, and says there when it is over. */
function alarm(
  what: string,
  id: string,
  expected: Expected | ((parameter: EnvironmentParameter) => Expected),
  extent: Extent = {},
): ExactCheck {
  const settings = (parameter: EnvironmentParameter): Record<string, Json> => {
    const one = typeof expected === 'function' ? expected(parameter) : expected
    const { statistic = 'Maximum' } = one
    const dimensions = Object.entries(one.of).map(([Name, Value]) => ({ Name, Value }))
    return {
      AlarmActions: [TOPIC],
      AlarmName: `<name>-${id.replaceAll(/(?!^)[A-Z]/g, '-$&').toLowerCase()}`,
      ComparisonOperator: one.above === undefined ? 'LessThanThreshold' : 'GreaterThanThreshold',
      ...(dimensions.length === 0 ? {} : { Dimensions: dimensions }),
      EvaluationPeriods: one.periods ?? 1,
      ...(statistic.startsWith('p') ? { ExtendedStatistic: statistic } : { Statistic: statistic }),
      MetricName: one.metric[1],
      Namespace: one.metric[0],
      OKActions: [TOPIC],
      Period: one.period ?? 60,
      Threshold: one.above ?? one.below,
      TreatMissingData: one.missing ? 'breaching' : 'notBreaching',
    }
  }
  return exactly(`alarms: ${what}`, 'AWS::CloudWatch::Alarm', `Alarms/${id}`, settings, extent)
}

const CLUSTER = { DBClusterIdentifier: '<name>' }
const BALANCER = { LoadBalancer: '<Service: LoadBalancer/Balancer.LoadBalancerFullName>' }
const TARGETS = { TargetGroup: '<Service: LoadBalancer/Targets.TargetGroupFullName>' }

/** Aurora's table of connections, for the capacities of the environments. */
const CONNECTIONS: Readonly<Record<number, number>> = { 4: 823 }

const database: readonly ExactCheck[] = [
  alarm('connections above 70 % of the most', 'DatabaseConnections', ({ database: { maxCapacity } }) => ({
    metric: ['AWS/RDS', 'DatabaseConnections'],
    of: CLUSTER,
    above: Math.floor((CONNECTIONS[maxCapacity] ?? Number.NaN) * 0.7),
  })),
  alarm('storage above 75 % of the largest volume', 'DatabaseDisk', {
    metric: ['AWS/RDS', 'VolumeBytesUsed'],
    of: CLUSTER,
    period: 300,
    above: 96 * 1_099_511_627_776,
  }),
  exactly(
    'alarms: statements of three seconds are counted in the log of the database',
    'AWS::Logs::MetricFilter',
    'Alarms/SlowStatements',
    {
      FilterName: 'slow-statements',
      FilterPattern: '"LOG:  duration:"',
      LogGroupName: '/aws/rds/cluster/<name>/postgresql',
      MetricTransformations: [
        {
          DefaultValue: 0,
          MetricName: 'SlowStatements',
          MetricNamespace: 'Akashi/<name>',
          MetricValue: '1',
        },
      ],
    },
  ),
  alarm('a statement of three seconds or more', 'SlowStatement', {
    metric: ['Akashi/<name>', 'SlowStatements'],
    of: {},
    statistic: 'Sum',
    above: 0,
  }),
  alarm('a deadlock, at once', 'Deadlock', { metric: ['AWS/RDS', 'Deadlocks'], of: CLUSTER, above: 0 }),
  alarm('a reader a second behind', 'ReplicaLag', {
    metric: ['AWS/RDS', 'AuroraReplicaLagMaximum'],
    of: CLUSTER,
    above: 1_000,
    periods: 5,
  }),
  alarm(
    'a gigabyte of WAL kept for the cross-check',
    'ReplicationSlotLag',
    { metric: ['AWS/RDS', 'OldestReplicationSlotLag'], of: CLUSTER, above: 1_073_741_824, periods: 15 },
    { when: ({ database: { minCapacity } }) => minCapacity > 0 },
  ),
  alarm('transaction ids that are not frozen', 'TransactionIds', {
    metric: ['AWS/RDS', 'MaximumUsedTransactionIDs'],
    of: CLUSTER,
    period: 300,
    above: 1_000_000_000,
  }),
  alarm('a database at its highest capacity', 'DatabaseCapacity', {
    metric: ['AWS/RDS', 'ACUUtilization'],
    of: CLUSTER,
    above: 95,
    periods: 15,
  }),
]

function open(what: string, id: string, periods = 1): ExactCheck {
  return alarm(what, id, {
    metric: ['Akashi', `${id.replace('Jobs', 'Job').replace('Keys', 'Key')}Alarms`],
    of: { Environment: '<name>' },
    above: 0,
    periods,
  })
}

const server: readonly ExactCheck[] = [
  open('rows that are not sealed', 'Seal'),
  open('a verification that fails or is overdue', 'Verification'),
  open('a cross-check that disagrees, has gaps or stopped', 'CrossCheck'),
  open('the age of backups', 'Backup'),
  open('drills that fail, and their age', 'Drill'),
  open('failed and missed jobs', 'Jobs'),
  open('the age of keys and certificates', 'Keys'),
  open('every alarm of severity critical', 'Critical'),
  open('every alarm of severity high', 'High'),
  open('alarms of severity medium, after a quarter of an hour', 'Medium', 15),
  open('alarms of severity low, after a quarter of an hour', 'Low', 15),
  alarm('workers that do not look', 'NobodyLooks', {
    metric: ['Akashi', 'AlarmsLookedAtAge'],
    of: { Environment: '<name>' },
    above: 300,
    periods: 2,
  }),
  alarm('metrics that no longer arrive', 'MetricsGone', {
    metric: ['Akashi', 'CriticalAlarms'],
    of: { Environment: '<name>' },
    statistic: 'SampleCount',
    below: 1,
    periods: 5,
    missing: true,
  }),
]

function tasksOf(command: 'Serve' | 'Work', wanted: 'minTasks' | 'workers'): ExactCheck[] {
  const of = { ClusterName: '<name>', ServiceName: `<name>-${command.toLowerCase()}` }
  return [
    alarm(`fewer tasks of ${command} than wanted`, `${command}Tasks`, ({ service }) => ({
      metric: ['ECS/ContainerInsights', 'RunningTaskCount'],
      of,
      statistic: 'Minimum',
      below: service[wanted],
      periods: 5,
      missing: true,
    })),
    alarm(`memory of ${command}`, `${command}Memory`, {
      metric: ['AWS/ECS', 'MemoryUtilization'],
      of,
      above: 90,
      periods: 5,
    }),
    alarm(`processors of ${command}`, `${command}Processor`, {
      metric: ['AWS/ECS', 'CPUUtilization'],
      of,
      statistic: 'Average',
      above: 90,
      periods: 15,
    }),
  ]
}

const tasks: readonly ExactCheck[] = [
  ...tasksOf('Serve', 'minTasks'),
  ...tasksOf('Work', 'workers'),
  alarm('tasks that the load balancer does not reach', 'UnhealthyTasks', {
    metric: ['AWS/ApplicationELB', 'UnHealthyHostCount'],
    of: { ...BALANCER, ...TARGETS },
    above: 0,
    periods: 3,
  }),
  alarm('requests that fail', 'ServerErrors', {
    metric: ['AWS/ApplicationELB', 'HTTPCode_Target_5XX_Count'],
    of: BALANCER,
    statistic: 'Sum',
    period: 300,
    above: 5,
  }),
  alarm('slow responses', 'SlowResponses', {
    metric: ['AWS/ApplicationELB', 'TargetResponseTime'],
    of: BALANCER,
    statistic: 'p99',
    period: 300,
    above: 3,
    periods: 3,
  }),
  ...['snapshot', 'install'].map((one) =>
    alarm(`a failed ${one}`, `${one[0]?.toUpperCase()}${one.slice(1)}Failed`, {
      metric: ['AWS/States', 'ExecutionsFailed'],
      of: { StateMachineArn: `arn:aws:states:<region>:<account>:stateMachine:<name>-${one}` },
      statistic: 'Sum',
      above: 0,
    }),
  ),
  alarm('no backup of AWS Backup in two days', 'DailyBackup', {
    metric: ['AWS/Backup', 'NumberOfBackupJobsCompleted'],
    of: { BackupVaultName: '<name>' },
    statistic: 'Sum',
    period: 86_400,
    below: 1,
    periods: 2,
    missing: true,
  }),
]

function notice(what: string, id: string, EventPattern: Json): ExactCheck {
  return exactly(`notices: ${what}`, 'AWS::Events::Rule', `Notices/${id}`, {
    EventPattern,
    State: 'ENABLED',
    Targets: [{ Arn: TOPIC, Id: 'Target0' }],
  })
}

const notices: readonly ExactCheck[] = [
  notice('failover, failure and low storage of Aurora', 'Database', {
    source: ['aws.rds'],
    detail: {
      SourceIdentifier: [{ wildcard: '*<name>*' }],
      EventCategories: ['failover', 'failure', 'low storage'],
    },
  }),
  notice('backups, copies and restore tests that fail', 'Backups', {
    source: ['aws.backup'],
    'detail-type': ['Backup Job State Change', 'Copy Job State Change', 'Restore Job State Change'],
    detail: { state: ['ABORTED', 'EXPIRED', 'FAILED', 'PARTIAL'] },
  }),
  notice('keys that are disabled, not rotated, opened or deleted', 'Keys', {
    source: ['aws.kms'],
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: {
      eventSource: ['kms.amazonaws.com'],
      eventName: ['DisableKey', 'DisableKeyRotation', 'PutKeyPolicy', 'ScheduleKeyDeletion'],
    },
  }),
  notice('guards that are stopped', 'Guards', {
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: {
      eventName:
        'BatchDisableStandards DeleteAlarms DeleteAnalyzer DeleteConfigurationRecorder DeleteConformancePack DeleteDetector DeleteTrail DisableAlarmActions DisableRule DisableSecurityHub PutEventSelectors StopConfigurationRecorder StopLogging Unsubscribe UpdateDetector UpdateTrail'.split(
          ' ',
        ),
    },
  }),
  notice('changes of the policy, lock, versions, encryption and tiers of the object store', 'Store', {
    source: ['aws.s3'],
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: {
      eventSource: ['s3.amazonaws.com'],
      eventName: [
        ...['Encryption', 'Lifecycle', 'Policy', 'PublicAccessBlock'].map((one) => `DeleteBucket${one}`),
        ...[
          'Encryption',
          'Lifecycle',
          'ObjectLockConfiguration',
          'Policy',
          'PublicAccessBlock',
          'Versioning',
        ].map((one) => `PutBucket${one}`),
      ],
      requestParameters: { bucketName: ['<name>-archive-<account>'] },
    },
  }),
  notice('vaults that are opened, backups that are deleted or shortened', 'Vaults', {
    source: ['aws.backup'],
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: {
      eventSource: ['backup.amazonaws.com'],
      eventName:
        'DeleteBackupVault DeleteBackupVaultAccessPolicy DeleteBackupVaultLockConfiguration DeleteRecoveryPoint PutBackupVaultAccessPolicy UpdateRecoveryPointLifecycle'.split(
          ' ',
        ),
    },
  }),
  notice('what no longer conforms to a rule of AWS Config', 'Compliance', {
    source: ['aws.config'],
    'detail-type': ['Config Rules Compliance Change'],
    detail: {
      messageType: ['ComplianceChangeNotification'],
      configRuleName: [{ prefix: '<name>-' }],
      newEvaluationResult: { complianceType: ['NON_COMPLIANT'] },
    },
  }),
  notice('threats of severity high', 'Threats', {
    source: ['aws.guardduty'],
    'detail-type': ['GuardDuty Finding'],
    detail: { severity: [{ numeric: ['>=', 7] }] },
  }),
  notice('new findings of severity high and critical', 'Findings', {
    source: ['aws.securityhub'],
    'detail-type': ['Security Hub Findings - Imported'],
    detail: {
      findings: {
        Severity: { Label: ['CRITICAL', 'HIGH'] },
        Workflow: { Status: ['NEW'] },
        RecordState: ['ACTIVE'],
      },
    },
  }),
]

const OURS = { StringEquals: { 'aws:SourceAccount': '<account>' } }
/** Who publishes; EventBridge names no account in its requests. */
const PUBLISHERS: readonly (readonly [sid: string, service: string, condition?: Json])[] = [
  ['Alarms', 'cloudwatch', OURS],
  ['Budgets', 'budgets', OURS],
  ['Events', 'events'],
]

function publishers(Action: Json, Resource: string): Json[] {
  return PUBLISHERS.map(([Sid, service, Condition]) => ({
    Action,
    ...(Condition === undefined ? {} : { Condition }),
    Effect: 'Allow',
    Principal: { Service: `${service}.amazonaws.com` },
    Resource,
    Sid,
  }))
}

const topic: readonly ExactCheck[] = [
  exactly(
    'topic: its key is rotated, and serves alarms, budget, notices and operators through SNS',
    'AWS::KMS::Key',
    'Topic/Key',
    {
      EnableKeyRotation: true,
      KeyPolicy: {
        Statement: [
          administrationIn('<account>'),
          ...publishers(['kms:Decrypt', 'kms:GenerateDataKey*'], '*'),
          ...serviceUse('<account>', ['sns']),
        ],
        Version: '2012-10-17',
      },
      PendingWindowInDays: 30,
      RotationPeriodInDays: 365,
    },
    { kept: true },
  ),
  exactly('topic: the key has its alias', 'AWS::KMS::Alias', 'Topic/Key/Alias', {
    AliasName: 'alias/<name>/alarms',
    TargetKeyId: '<Topic/Key.Arn>',
  }),
  exactly('topic: encrypted', 'AWS::SNS::Topic', 'Topic/Topic', ({ project }) => ({
    DisplayName: `${project} <name>`,
    KmsMasterKeyId: '<Topic/Key.Arn>',
    TopicName: '<name>-alarms',
  })),
  exactly(
    'topic: CloudWatch, Budgets and EventBridge publish, over TLS alone',
    'AWS::SNS::TopicPolicy',
    'Topic/Policy',
    {
      PolicyDocument: {
        Statement: [
          ...publishers('sns:Publish', TOPIC),
          {
            Action: 'sns:Publish',
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
            Effect: 'Deny',
            Principal: { AWS: '*' },
            Resource: TOPIC,
            Sid: 'OverTls',
          },
        ],
        Version: '2012-10-17',
      },
      Topics: [TOPIC],
    },
  ),
  exactly('topic: reaches the operators', 'AWS::SNS::Subscription', 'Topic/Email1', ({ monitoring }) => ({
    Endpoint: monitoring.emails[0],
    Protocol: 'email',
    TopicArn: TOPIC,
  })),
]

const spent = (NotificationType: string, Threshold: number) => ({
  Notification: {
    ComparisonOperator: 'GREATER_THAN',
    NotificationType,
    Threshold,
    ThresholdType: 'PERCENTAGE',
  },
  Subscribers: [{ Address: TOPIC, SubscriptionType: 'SNS' }],
})

const budget = exactly(
  'budget: 80 % and all of it spent, and more forecast, raise an alarm',
  'AWS::Budgets::Budget',
  'Budget',
  ({ monitoring }) => ({
    Budget: {
      BudgetLimit: { Amount: monitoring.budget, Unit: 'USD' },
      BudgetName: '<name>',
      BudgetType: 'COST',
      TimeUnit: 'MONTHLY',
    },
    NotificationsWithSubscribers: [spent('ACTUAL', 80), spent('ACTUAL', 100), spent('FORECASTED', 100)],
  }),
)

/** Its text is for people; that it shows every alarm is checked. */
const dashboard: ExactCheck = {
  name: 'dashboard: shows every alarm, and graphs of the record, the database and the tasks',
  covers: (template) => template.ofType('AWS::CloudWatch::Dashboard'),
  verify: (template, parameter) => {
    const { Properties } = template.only('AWS::CloudWatch::Dashboard', 'Dashboard')
    const { DashboardBody, Tags, ...others } = Properties
    assert.deepEqual(readable(template, parameter, others), { DashboardName: '<name>' })
    const [alarms, ...graphs] = readable(template, parameter, DashboardBody).widgets
    assert.deepEqual(
      alarms.properties.alarms.length,
      template.ofType('AWS::CloudWatch::Alarm').length,
      'every alarm is on the dashboard',
    )
    assert.ok(graphs.length >= 12)
  },
}

const exact: readonly ExactCheck[] = [
  ...topic,
  ...database,
  ...server,
  ...tasks,
  ...notices,
  budget,
  dashboard,
]

export const monitoringChecks: readonly Check[] = [...exact, complete(exact), ...tagChecks]
