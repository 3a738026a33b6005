import {
  AccountPrincipal,
  AccountRootPrincipal,
  ArnPrincipal,
  PolicyDocument,
  PolicyStatement,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam'
import { Stack } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'

/** Everything but using the key: no Encrypt, Decrypt or GenerateDataKey, and no CreateGrant, which gives them. */
const ADMINISTRATION = [
  'kms:CreateAlias',
  'kms:UpdateAlias',
  'kms:DeleteAlias',
  'kms:DescribeKey',
  'kms:UpdateKeyDescription',
  'kms:GetKeyPolicy',
  'kms:PutKeyPolicy',
  'kms:ListKeyPolicies',
  'kms:ListGrants',
  'kms:RevokeGrant',
  'kms:EnableKey',
  'kms:DisableKey',
  'kms:GetKeyRotationStatus',
  'kms:EnableKeyRotation',
  'kms:DisableKeyRotation',
  'kms:RotateKeyOnDemand',
  'kms:ListKeyRotations',
  'kms:ListResourceTags',
  'kms:TagResource',
  'kms:UntagResource',
  'kms:ScheduleKeyDeletion',
  'kms:CancelKeyDeletion',
]

export const USE = ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey']

/** The policy that every key begins with: administrators of the account manage the key and cannot use it. */
export function keyPolicy(...statements: PolicyStatement[]): PolicyDocument {
  const administration = new PolicyStatement({
    sid: 'Administration',
    principals: [new AccountRootPrincipal()],
    actions: ADMINISTRATION,
    resources: ['*'],
  })
  return new PolicyDocument({ statements: [administration, ...statements] })
}

/** Whom IAM lets use the service may use the key through it, and never directly. */
export function useThroughServices(scope: Construct, ...services: string[]): PolicyStatement[] {
  const { account, region } = Stack.of(scope)
  const through = {
    'kms:CallerAccount': account,
    'kms:ViaService': services.map((service) => `${service}.${region}.amazonaws.com`),
  }
  return [
    new PolicyStatement({
      sid: 'UseThroughServices',
      principals: [new AccountRootPrincipal()],
      actions: USE,
      resources: ['*'],
      conditions: { StringEquals: through },
    }),
    new PolicyStatement({
      sid: 'GrantsOfServices',
      principals: [new AccountRootPrincipal()],
      actions: ['kms:CreateGrant'],
      resources: ['*'],
      conditions: { StringEquals: through, Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    }),
  ]
}

/** CloudWatch Logs, for the log groups of this account and region. */
export function useByCloudWatchLogs(scope: Construct): PolicyStatement {
  const stack = Stack.of(scope)
  return new PolicyStatement({
    sid: 'LogGroups',
    principals: [new ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
    actions: USE,
    resources: ['*'],
    conditions: {
      ArnLike: {
        'kms:EncryptionContext:aws:logs:arn': `arn:${stack.partition}:logs:${stack.region}:${stack.account}:log-group:*`,
      },
    },
  })
}

/** Roles of this account by name. They may come after the key, so a condition names them: a principal has to exist. */
export function useByRoles(scope: Construct, ...names: string[]): PolicyStatement {
  const { account, partition } = Stack.of(scope)
  return new PolicyStatement({
    sid: 'Tasks',
    principals: [new AccountRootPrincipal()],
    actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
    resources: ['*'],
    conditions: {
      ArnEquals: { 'aws:PrincipalArn': names.map((name) => `arn:${partition}:iam::${account}:role/${name}`) },
    },
  })
}

/** The account that copies of snapshots go to reads them under this key and writes them under its own. */
export function useByCopyAccount(account: string): PolicyStatement[] {
  const principals = [new AccountPrincipal(account)]
  return [
    new PolicyStatement({ sid: 'CopiesToAccount', principals, actions: USE, resources: ['*'] }),
    new PolicyStatement({
      sid: 'GrantsOfCopies',
      principals,
      actions: ['kms:CreateGrant'],
      resources: ['*'],
      conditions: { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    }),
  ]
}

/** The role by which AWS Backup delivers its reports; it exists once the account has made a report plan. */
export function reportsRole(scope: Construct): ArnPrincipal {
  const { account, partition } = Stack.of(scope)
  return new ArnPrincipal(
    `arn:${partition}:iam::${account}:role/aws-service-role/reports.backup.amazonaws.com/AWSServiceRoleForBackupReports`,
  )
}
