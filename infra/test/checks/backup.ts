import assert from 'node:assert/strict'
import { environmentName, recoveryVaultName } from '../../lib/names.ts'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { type Json, pathOf, type Template } from '../support/template.ts'
import { assertKept, type Check, withAccount } from './check.ts'
import { idOf } from './network.ts'
import { assertVault } from './vault.ts'

function clusterArn(template: Template, parameter: EnvironmentParameter): Json {
  const prefix = withAccount(parameter, `arn:aws:rds:${parameter.region}:`, ':cluster:')
  const id = { Ref: idOf(template, template.only('AWS::RDS::DBCluster')) }
  return { 'Fn::Join': ['', typeof prefix === 'string' ? [prefix, id] : [...prefix['Fn::Join'][1], id]] }
}

/** Vaults that copies go to, in the order of the plan. */
function destinations(template: Template, parameter: EnvironmentParameter): Json[] {
  const { region, backup } = parameter
  const vault = `:backup-vault:${recoveryVaultName(environmentName(parameter))}`
  const airGapped = template.ofType('AWS::Backup::LogicallyAirGappedBackupVault')[0]
  return [
    ...(backup.airGapped && airGapped !== undefined
      ? [{ 'Fn::GetAtt': [idOf(template, airGapped), 'BackupVaultArn'] }]
      : []),
    ...(backup.copyRegion === undefined
      ? []
      : [withAccount(parameter, `arn:aws:backup:${backup.copyRegion}:`, vault)]),
    ...(backup.copyAccount === undefined ? [] : [`arn:aws:backup:${region}:${backup.copyAccount}${vault}`]),
  ]
}

export const backupChecks: readonly Check[] = [
  {
    name: 'backup: a vault in which nobody deletes a backup before its time',
    verify: (template, parameter) => {
      assertVault(template.only('AWS::Backup::BackupVault'), {
        name: environmentName(parameter),
        retentionDays: parameter.backup.retentionDays,
      })
    },
  },
  {
    name: 'backup: the vault is under the backup key',
    verify: (template) => {
      const { EncryptionKeyArn } = template.only('AWS::Backup::BackupVault').Properties
      template.assertRefers(EncryptionKeyArn, 'AWS::KMS::Key', 'Keys/Backup', 'Arn')
    },
  },
  {
    name: 'backup: every day at 05:00 UTC, kept as long as asked for',
    verify: (template, parameter) => {
      const { BackupPlan } = template.only('AWS::Backup::BackupPlan').Properties
      assert.equal(BackupPlan.BackupPlanName, environmentName(parameter))
      const [rule, ...more] = BackupPlan.BackupPlanRule
      assert.equal(more.length, 0)
      assert.equal(rule.ScheduleExpression, 'cron(0 5 * * ? *)')
      assert.equal(rule.StartWindowMinutes, 60)
      assert.equal(rule.CompletionWindowMinutes, 360)
      assert.deepEqual(rule.Lifecycle, { DeleteAfterDays: parameter.backup.retentionDays })
      assert.deepEqual(rule.RecoveryPointTags, { Project: parameter.project })
      assert.equal(rule.EnableContinuousBackup, undefined, 'point-in-time recovery is that of Aurora')
      template.assertRefers(rule.TargetBackupVault, 'AWS::Backup::BackupVault', '', 'BackupVaultName')
    },
  },
  {
    name: 'backup: copies to the air-gapped vault, the other region and the other account, kept as long',
    verify: (template, parameter) => {
      const [rule] = template.only('AWS::Backup::BackupPlan').Properties['BackupPlan'].BackupPlanRule
      const expected = destinations(template, parameter).map((DestinationBackupVaultArn) => ({
        DestinationBackupVaultArn,
        Lifecycle: { DeleteAfterDays: parameter.backup.retentionDays },
      }))
      assert.deepEqual(rule.CopyActions, expected)
    },
  },
  {
    name: 'backup: the plan takes the cluster, as the role of AWS Backup',
    verify: (template, parameter) => {
      const { BackupPlanId, BackupSelection } = template.only('AWS::Backup::BackupSelection').Properties
      template.assertRefers(BackupPlanId, 'AWS::Backup::BackupPlan', '', 'BackupPlanId')
      template.assertRefers(BackupSelection.IamRoleArn, 'AWS::IAM::Role', 'Backup/Role', 'Arn')
      assert.deepEqual(BackupSelection.Resources, [clusterArn(template, parameter)])
    },
  },
  {
    name: 'backup: an air-gapped vault, locked in compliance mode by its kind, where asked for',
    verify: (template, parameter) => {
      const vaults = template.ofType('AWS::Backup::LogicallyAirGappedBackupVault')
      assert.equal(vaults.length, parameter.backup.airGapped ? 1 : 0)
      for (const vault of vaults) {
        const { BackupVaultTags, ...settings } = vault.Properties
        assert.deepEqual(settings, {
          BackupVaultName: `${environmentName(parameter)}-air-gapped`,
          MinRetentionDays: parameter.backup.retentionDays,
          MaxRetentionDays: 365,
        })
        assertKept(vault)
      }
    },
  },
]

/** The definition of the state machine, its references replaced by their paths. */
function definition(template: Template): Json {
  const parts: Json[] = template.only('AWS::StepFunctions::StateMachine').Properties['DefinitionString'][
    'Fn::Join'
  ][1]
  const text = parts.map((part) => {
    if (typeof part === 'string') return part
    if (typeof part.Ref === 'string' && part.Ref.startsWith('AWS::')) return part.Ref
    return pathOf(template.referred(part))
  })
  return JSON.parse(text.join(''))
}

export const snapshotChecks: readonly Check[] = [
  {
    name: 'snapshot: starts a backup of the cluster into the vault, one for each run',
    verify: (template, parameter) => {
      const { StartAt, States } = definition(template)
      assert.equal(StartAt, 'Start')
      assert.equal(States.Start.Resource, 'arn:AWS::Partition:states:::aws-sdk:backup:startBackupJob')
      const { ResourceArn, ...settings } = States.Start.Parameters
      assert.ok(ResourceArn.endsWith(':cluster:Database/Cluster'))
      assert.ok(ResourceArn.startsWith(`arn:aws:rds:${parameter.region}:`))
      assert.deepEqual(settings, {
        BackupVaultName: 'Backup/Vault',
        IamRoleArn: 'Backup/Role',
        'IdempotencyToken.$': '$$.Execution.Name',
        Lifecycle: { DeleteAfterDays: parameter.backup.retentionDays },
      })
    },
  },
  {
    name: 'snapshot: succeeds when the backup is complete, and fails when it ends otherwise',
    verify: (template) => {
      const { States, TimeoutSeconds } = definition(template)
      assert.deepEqual(States['State?'].Choices, [
        { Variable: '$.Job.State', StringEquals: 'COMPLETED', Next: 'Completed' },
        {
          Or: ['ABORTED', 'EXPIRED', 'FAILED', 'PARTIAL'].map((StringEquals) => ({
            Variable: '$.Job.State',
            StringEquals,
          })),
          Next: 'Failed',
        },
      ])
      assert.equal(States['State?'].Default, 'Wait')
      assert.deepEqual(States.Failed, {
        Type: 'Fail',
        Error: 'BackupFailed',
        CausePath: '$.Job.StatusMessage',
      })
      assert.deepEqual(States.Describe.Parameters, { 'BackupJobId.$': '$.BackupJobId' })
      assert.deepEqual(
        Object.entries<Json>(States).map(([name, { Type, Next }]) => [name, Type, Next]),
        [
          ['Start', 'Task', 'Wait'],
          ['Wait', 'Wait', 'Describe'],
          ['Describe', 'Task', 'State?'],
          ['State?', 'Choice', undefined],
          ['Completed', 'Succeed', undefined],
          ['Failed', 'Fail', undefined],
        ],
      )
      assert.equal(States.Describe.Resource, 'arn:AWS::Partition:states:::aws-sdk:backup:describeBackupJob')
      assert.equal(States.Describe.ResultPath, '$.Job')
      assert.equal(TimeoutSeconds, 21_600)
    },
  },
  {
    name: 'snapshot: its runs are logged and traced, under its own role',
    verify: (template, parameter) => {
      const { Properties } = template.only('AWS::StepFunctions::StateMachine')
      assert.equal(Properties['StateMachineName'], `${environmentName(parameter)}-snapshot`)
      template.assertRefers(Properties['RoleArn'], 'AWS::IAM::Role', 'Backup/Snapshot/Role', 'Arn')
      assert.deepEqual(Properties['TracingConfiguration'], { Enabled: true })
      const { Destinations, Level, IncludeExecutionData } = Properties['LoggingConfiguration']
      assert.deepEqual([Level, IncludeExecutionData, Destinations.length], ['ALL', true, 1])
      template.assertRefers(
        Destinations[0].CloudWatchLogsLogGroup.LogGroupArn,
        'AWS::Logs::LogGroup',
        'Backup/Snapshot/Log',
        'Arn',
      )
    },
  },
]

export const restoreTestChecks: readonly Check[] = [
  {
    name: 'restore test: the newest backup of the vault, on the first Sunday of the month',
    verify: (template, { backup }) => {
      const plans = template.ofType('AWS::Backup::RestoreTestingPlan')
      assert.equal(plans.length, backup.audit ? 1 : 0)
      for (const { Properties } of plans) {
        const { IncludeVaults, ...selection } = Properties['RecoveryPointSelection']
        assert.equal(IncludeVaults.length, 1)
        template.assertRefers(IncludeVaults[0], 'AWS::Backup::BackupVault', '', 'BackupVaultArn')
        assert.deepEqual(selection, {
          Algorithm: 'LATEST_WITHIN_WINDOW',
          RecoveryPointTypes: ['SNAPSHOT'],
          SelectionWindowDays: 7,
        })
        assert.equal(Properties['ScheduleExpression'], 'cron(0 8 ? * SUN#1 *)')
        assert.equal(Properties['StartWindowHours'], 4)
      }
    },
  },
  {
    name: 'restore test: into the data subnets, behind the security group of the database, for four hours',
    verify: (template, parameter) => {
      const selections = template.ofType('AWS::Backup::RestoreTestingSelection')
      assert.equal(selections.length, parameter.backup.audit ? 1 : 0)
      for (const { Properties, DependsOn } of selections) {
        assert.equal(Properties['ProtectedResourceType'], 'Aurora')
        assert.deepEqual(Properties['ProtectedResourceArns'], [clusterArn(template, parameter)])
        assert.equal(Properties['ValidationWindowHours'], 4)
        template.assertRefers(Properties['IamRoleArn'], 'AWS::IAM::Role', 'Backup/RestoreTest/Role', 'Arn')
        const { dbsubnetgroupname, vpcsecuritygroupids, ...more } = Properties['RestoreMetadataOverrides']
        assert.deepEqual(more, {})
        assert.equal(template.referred(dbsubnetgroupname).Type, 'AWS::RDS::DBSubnetGroup')
        const [before, group, after] = vpcsecuritygroupids['Fn::Join'][1]
        assert.deepEqual([before, after], ['["', '"]'])
        template.assertRefers(group, 'AWS::EC2::SecurityGroup', 'Network/DatabaseSecurityGroup', 'GroupId')
        const plan = template.only('AWS::Backup::RestoreTestingPlan')
        assert.deepEqual(DependsOn, [idOf(template, plan)])
        assert.equal(Properties['RestoreTestingPlanName'], plan.Properties['RestoreTestingPlanName'])
      }
    },
  },
]
