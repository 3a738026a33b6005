import assert from 'node:assert/strict'
import { environmentName } from '../../lib/names.ts'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import type { Resource, Template } from '../support/template.ts'
import {
  accountOf,
  assertKept,
  assertPolicy,
  type Check,
  rootOf,
  type Statement,
  withAccount,
} from './check.ts'

const USE = ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey']
const ADMINISTRATION =
  'CancelKeyDeletion CreateAlias DeleteAlias DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation GetKeyPolicy GetKeyRotationStatus ListGrants ListKeyPolicies ListKeyRotations ListResourceTags PutKeyPolicy RevokeGrant RotateKeyOnDemand ScheduleKeyDeletion TagResource UntagResource UpdateAlias UpdateKeyDescription'
    .split(' ')
    .map((action) => `kms:${action}`)

export function administration(parameter: EnvironmentParameter): Statement {
  return { Sid: 'Administration', Principal: rootOf(parameter), Action: ADMINISTRATION }
}

export function throughServices(
  parameter: EnvironmentParameter,
  region: string,
  ...services: string[]
): Statement[] {
  const through = {
    'kms:CallerAccount': accountOf(parameter),
    'kms:ViaService': services.map((service) => `${service}.${region}.amazonaws.com`),
  }
  const Principal = rootOf(parameter)
  return [
    { Sid: 'UseThroughServices', Principal, Action: USE, Condition: { StringEquals: through } },
    {
      Sid: 'GrantsOfServices',
      Principal,
      Action: ['kms:CreateGrant'],
      Condition: { StringEquals: through, Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    },
  ]
}

function copiesTo(account: string): Statement[] {
  const Principal = { AWS: `arn:aws:iam::${account}:root` }
  return [
    { Sid: 'CopiesToAccount', Principal, Action: USE },
    {
      Sid: 'GrantsOfCopies',
      Principal,
      Action: ['kms:CreateGrant'],
      Condition: { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    },
  ]
}

/** Checks that hold for every key, of whichever stack. */
export function assertKey(key: Resource): void {
  assert.equal(key.Properties['EnableKeyRotation'], true)
  assert.equal(key.Properties['RotationPeriodInDays'], 365)
  assert.equal(key.Properties['PendingWindowInDays'], 30)
  assertKept(key)
}

interface ExpectedKey {
  readonly id: string
  readonly alias: string
  readonly title: string
  users(parameter: EnvironmentParameter): Statement[]
}

const KEYS: readonly ExpectedKey[] = [
  {
    id: 'Database',
    alias: 'database',
    title: 'the database key serves RDS, AWS Backup and ElastiCache, and the account that copies go to',
    users: (parameter) => [
      ...throughServices(parameter, parameter.region, 'rds', 'backup', 'elasticache'),
      ...(parameter.backup.copyAccount === undefined ? [] : copiesTo(parameter.backup.copyAccount)),
    ],
  },
  {
    id: 'Secrets',
    alias: 'secrets',
    title: 'the secrets key serves Secrets Manager',
    users: (parameter) => throughServices(parameter, parameter.region, 'secretsmanager'),
  },
  {
    id: 'Archive',
    alias: 'archive',
    title: 'the archive key serves S3',
    users: (parameter) => throughServices(parameter, parameter.region, 's3'),
  },
  {
    id: 'Backup',
    alias: 'backup',
    title: 'the backup key serves AWS Backup, RDS and S3, and the delivery of reports',
    users: (parameter) => [
      ...throughServices(parameter, parameter.region, 'backup', 'rds', 's3'),
      ...(parameter.backup.audit ? [reports(parameter)] : []),
    ],
  },
  {
    id: 'Logs',
    alias: 'logs',
    title: 'the log key serves CloudWatch Logs for log groups of this account and region',
    users: (parameter) => [
      {
        Sid: 'LogGroups',
        Principal: { Service: `logs.${parameter.region}.amazonaws.com` },
        Action: USE,
        Condition: {
          ArnLike: {
            'kms:EncryptionContext:aws:logs:arn': withAccount(
              parameter,
              `arn:aws:logs:${parameter.region}:`,
              ':log-group:*',
            ),
          },
        },
      },
    ],
  },
  {
    id: 'PersonKeyring',
    alias: 'person-keyring',
    title: 'the person keyring key serves the tasks, and their volume',
    users: (parameter) => [
      {
        Sid: 'Tasks',
        Principal: rootOf(parameter),
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Condition: {
          ArnEquals: {
            'aws:PrincipalArn': ['install', 'serve', 'work'].map((task) =>
              withAccount(parameter, 'arn:aws:iam::', `:role/${environmentName(parameter)}-${task}`),
            ),
          },
        },
      },
      ...throughServices(parameter, parameter.region, 'elasticfilesystem'),
    ],
  },
]

function reports(parameter: EnvironmentParameter): Statement {
  return {
    Sid: 'BackupReports',
    Principal: {
      AWS: withAccount(
        parameter,
        'arn:aws:iam::',
        ':role/aws-service-role/reports.backup.amazonaws.com/AWSServiceRoleForBackupReports',
      ),
    },
    Action: ['kms:GenerateDataKey', 'kms:Encrypt'],
  }
}

const keyOf = (template: Template, id: string): Resource => template.only('AWS::KMS::Key', `Keys/${id}`)

export const keyChecks: readonly Check[] = [
  {
    name: 'keys: one for each kind of data',
    verify: (template) => {
      assert.equal(template.ofType('AWS::KMS::Key').length, KEYS.length)
      for (const { id } of KEYS) keyOf(template, id)
    },
  },
  {
    name: 'keys: rotated every year, deleted after 30 days of notice only, kept when the stack goes',
    verify: (template) => {
      for (const key of template.ofType('AWS::KMS::Key')) assertKey(key)
    },
  },
  {
    name: 'keys: the description of the database key',
    verify: (template, { project }) => {
      const { Description } = keyOf(template, 'Database').Properties
      assert.equal(Description, `${project} Aurora encryption key`)
    },
  },
  {
    name: 'keys: an alias each, named for the environment',
    verify: (template, { project, environment }) => {
      assert.equal(template.ofType('AWS::KMS::Alias').length, KEYS.length)
      for (const { id, alias } of KEYS) {
        const { AliasName, TargetKeyId } = template.only('AWS::KMS::Alias', `Keys/${id}/Alias`).Properties
        assert.equal(AliasName, `alias/${project.toLowerCase()}-${environment}/${alias}`)
        template.assertRefers(TargetKeyId, 'AWS::KMS::Key', `Keys/${id}`, 'Arn')
      }
    },
  },
  ...KEYS.map(
    ({ id, title, users }): Check => ({
      name: `keys: ${title}; administrators cannot use it`,
      verify: (template, parameter) => {
        const { KeyPolicy } = keyOf(template, id).Properties
        assertPolicy(KeyPolicy, [administration(parameter), ...users(parameter)])
      },
    }),
  ),
]
