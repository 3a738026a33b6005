/** Statements of key policies, as `readable` writes them. */
import type { Json } from '../support/template.ts'

const USE = ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:ReEncrypt*']
const ADMINISTRATION =
  'CancelKeyDeletion CreateAlias DeleteAlias DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation GetKeyPolicy GetKeyRotationStatus ListGrants ListKeyPolicies ListKeyRotations ListResourceTags PutKeyPolicy RevokeGrant RotateKeyOnDemand ScheduleKeyDeletion TagResource UntagResource UpdateAlias UpdateKeyDescription'
    .split(' ')
    .map((action) => `kms:${action}`)

/** Administrators manage the key and cannot use it. */
export function administrationIn(account: string): Json {
  return {
    Action: ADMINISTRATION,
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${account}:root` },
    Resource: '*',
    Sid: 'Administration',
  }
}

/** Whom IAM lets use the services, through these only. */
export function serviceUse(account: string, services: readonly string[]): Json[] {
  const StringEquals = {
    'kms:CallerAccount': account,
    'kms:ViaService': services.map((service) => `${service}.<region>.amazonaws.com`),
  }
  const by = { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Resource: '*' }
  return [
    { Action: USE, Condition: { StringEquals }, ...by, Sid: 'UseThroughServices' },
    {
      Action: 'kms:CreateGrant',
      Condition: { StringEquals, Bool: { 'kms:GrantIsForAWSResource': 'true' } },
      ...by,
      Sid: 'GrantsOfServices',
    },
  ]
}
