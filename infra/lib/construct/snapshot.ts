import type { BackupVault } from 'aws-cdk-lib/aws-backup'
import { type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import {
  Choice,
  Condition,
  DefinitionBody,
  Fail,
  JsonPath,
  LogLevel,
  StateMachine,
  Succeed,
  Wait,
  WaitTime,
} from 'aws-cdk-lib/aws-stepfunctions'
import { CallAwsService } from 'aws-cdk-lib/aws-stepfunctions-tasks'
import { Duration } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { Database } from './database.ts'
import { logGroup } from './log-group.ts'
import { serviceRole } from './service-role.ts'

const POLL_INTERVAL = Duration.seconds(30)
const TIMEOUT = Duration.hours(6)
const RETRIES = 5

export interface SnapshotProps {
  readonly name: string
  readonly database: Database
  readonly vault: BackupVault
  /** The role of AWS Backup. */
  readonly role: IRole
  readonly retentionDays: number
  /** Encrypts the log. */
  readonly key: IKey
}

/**
 * Takes a backup now and succeeds once it is complete: to be run before a migration or another important
 * change. Runs with the same name share one backup, so asking again is safe.
 */
export class Snapshot extends Construct {
  readonly stateMachine: StateMachine

  constructor(scope: Construct, id: string, props: SnapshotProps) {
    super(scope, id)
    const { database, vault, role, name } = props
    const done = new Succeed(this, 'Completed')
    const failed = new Fail(this, 'Failed', {
      error: 'BackupFailed',
      causePath: JsonPath.stringAt('$.Job.StatusMessage'),
    })
    const start = new CallAwsService(this, 'Start', {
      service: 'backup',
      action: 'startBackupJob',
      parameters: {
        BackupVaultName: vault.backupVaultName,
        ResourceArn: database.cluster.clusterArn,
        IamRoleArn: role.roleArn,
        IdempotencyToken: JsonPath.executionName,
        Lifecycle: { DeleteAfterDays: props.retentionDays },
      },
      iamResources: [vault.backupVaultArn],
    }).addRetry({ maxAttempts: RETRIES })
    const wait = new Wait(this, 'Wait', { time: WaitTime.duration(POLL_INTERVAL) })
    const describe = new CallAwsService(this, 'Describe', {
      service: 'backup',
      action: 'describeBackupJob',
      parameters: { BackupJobId: JsonPath.stringAt('$.BackupJobId') },
      resultPath: '$.Job',
      iamResources: ['*'],
    }).addRetry({ maxAttempts: RETRIES })
    const ended = ['ABORTED', 'EXPIRED', 'FAILED', 'PARTIAL'].map((state) =>
      Condition.stringEquals('$.Job.State', state),
    )
    const definition = start
      .next(wait)
      .next(describe)
      .next(
        new Choice(this, 'State?')
          .when(Condition.stringEquals('$.Job.State', 'COMPLETED'), done)
          .when(Condition.or(...ended), failed)
          .otherwise(wait),
      )
    const log = logGroup(this, 'Log', { name: `/aws/vendedlogs/states/${name}-snapshot`, key: props.key })
    this.stateMachine = new StateMachine(this, 'StateMachine', {
      stateMachineName: `${name}-snapshot`,
      definitionBody: DefinitionBody.fromChainable(definition),
      timeout: TIMEOUT,
      tracingEnabled: true,
      logs: { destination: log, level: LogLevel.ALL, includeExecutionData: true },
      role: this.machineRole(props).withoutPolicyUpdates(),
    })
  }

  private machineRole({ vault, role }: SnapshotProps) {
    return serviceRole(this, 'Role', {
      service: 'states',
      description: 'Takes a backup before an important change',
      statements: [
        new PolicyStatement({ actions: ['backup:StartBackupJob'], resources: [vault.backupVaultArn] }),
        new PolicyStatement({
          actions: ['iam:PassRole'],
          resources: [role.roleArn],
          conditions: { StringEquals: { 'iam:PassedToService': 'backup.amazonaws.com' } },
        }),
        new PolicyStatement({
          actions: [
            'backup:DescribeBackupJob',
            'logs:CreateLogDelivery',
            'logs:DeleteLogDelivery',
            'logs:DescribeLogGroups',
            'logs:DescribeResourcePolicies',
            'logs:GetLogDelivery',
            'logs:ListLogDeliveries',
            'logs:PutResourcePolicy',
            'logs:UpdateLogDelivery',
            'xray:GetSamplingRules',
            'xray:GetSamplingTargets',
            'xray:PutTelemetryRecords',
            'xray:PutTraceSegments',
          ],
          resources: ['*'],
        }),
      ],
      anyResource: 'Jobs of AWS Backup, log deliveries and traces have no resource that a policy could name.',
    })
  }
}
