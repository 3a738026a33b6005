import type { EnvironmentParameter } from '../../lib/parameter.ts'
import type { Check } from './check.ts'
import { complete, type ExactCheck, exactly } from './exactly.ts'
import { administrationIn, serviceUse } from './key-settings.ts'
import { accessLogs, CLOSED, encryptedUnder, loggedTo, policyOf, TIERS, writersOnly } from './store.ts'
import { tagChecks } from './tags.ts'

const WORKER = 'arn:aws:iam::<account>:role/<name>-work'
const USE = ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:ReEncrypt*']

function accountOf({ archive }: EnvironmentParameter): string {
  return archive.witnessAccount ?? ''
}

const exact: readonly ExactCheck[] = [
  exactly(
    'witness: its key is of its own account, rotated, and used by S3 for the worker',
    'AWS::KMS::Key',
    'Key',
    (parameter) => ({
      EnableKeyRotation: true,
      KeyPolicy: {
        Statement: [
          administrationIn(accountOf(parameter)),
          ...serviceUse(accountOf(parameter), ['s3']),
          {
            Action: USE,
            Condition: {
              ArnEquals: { 'aws:PrincipalArn': WORKER },
              StringEquals: { 'kms:ViaService': 's3.<region>.amazonaws.com' },
            },
            Effect: 'Allow',
            Principal: { AWS: 'arn:aws:iam::<account>:root' },
            Resource: '*',
            Sid: 'Worker',
          },
        ],
        Version: '2012-10-17',
      },
      PendingWindowInDays: 30,
      RotationPeriodInDays: 365,
    }),
    { kept: true },
  ),
  exactly('witness: the key has its alias', 'AWS::KMS::Alias', 'Key/Alias', {
    AliasName: 'alias/<name>/witness',
    TargetKeyId: '<Key.Arn>',
  }),
  ...accessLogs('witness', accountOf, { witness: 'Bucket' }),
  exactly(
    'witness: locked for three years in the mode asked for, under its key, with versions and cold tiers',
    'AWS::S3::Bucket',
    'Bucket',
    (parameter) => ({
      ...encryptedUnder('<Key.Arn>'),
      BucketName: `<name>-witness-${accountOf(parameter)}`,
      ...TIERS,
      ...loggedTo('witness'),
      ObjectLockConfiguration: {
        ObjectLockEnabled: 'Enabled',
        Rule: { DefaultRetention: { Days: 1_095, Mode: parameter.archive.lock.toUpperCase() } },
      },
      ObjectLockEnabled: true,
      ...CLOSED,
    }),
    { kept: true },
  ),
  exactly(
    'witness: the worker of the environment writes, nobody else, over TLS',
    'AWS::S3::BucketPolicy',
    'Bucket/Policy',
    (parameter) => {
      const bucket = `<name>-witness-${accountOf(parameter)}`
      const calls = ['AbortMultipartUpload', 'DeleteObject', 'GetObject', 'ListBucket', 'PutObject']
      return policyOf(
        'Bucket',
        {
          Action: [...calls, 'PutObjectRetention'].map((call) => `s3:${call}`),
          Condition: { ArnEquals: { 'aws:PrincipalArn': WORKER } },
          Effect: 'Allow',
          Principal: { AWS: 'arn:aws:iam::<account>:root' },
          Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
          Sid: 'Worker',
        },
        ...writersOnly(bucket, '<Key.Arn>', [WORKER]),
      )
    },
  ),
]

export const witnessChecks: readonly Check[] = [...exact, complete(exact), ...tagChecks]
