import assert from 'node:assert/strict'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { type Json, pathOf, type Resource, type Template } from '../support/template.ts'
import { accountOf, assertKept, assertPolicy, type Check, type Statement, withAccount } from './check.ts'
import { idOf } from './network.ts'

const ACCESS_LOGS = 'AccessLogs/Bucket'
const REPORTS = 'Backup/Audit/Reports'

function buckets(template: Template): Resource[] {
  return template.ofType('AWS::S3::Bucket')
}

function arns(template: Template, bucket: Resource): { bucket: Json; objects: (prefix: string) => Json } {
  const arn = { 'Fn::GetAtt': [idOf(template, bucket), 'Arn'] }
  return { bucket: arn, objects: (prefix) => ({ 'Fn::Join': ['', [arn, `/${prefix}*`]] }) }
}

/** Plain text and outdated TLS are refused, for the bucket and everything in it. */
function tlsOnly(template: Template, bucket: Resource): Statement[] {
  const { bucket: arn, objects } = arns(template, bucket)
  const refuse = (Condition: Json): Statement => ({
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Action: ['s3:*'],
    Resource: [arn, objects('')],
    Condition,
  })
  return [
    refuse({ Bool: { 'aws:SecureTransport': 'false' } }),
    refuse({ NumericLessThan: { 's3:TlsVersion': 1.2 } }),
  ]
}

function policyOf(template: Template, bucket: Resource): Json {
  const [policy, ...more] = template
    .ofType('AWS::S3::BucketPolicy')
    .filter(({ Properties }) => template.referred(Properties['Bucket']) === bucket)
  assert.ok(policy !== undefined && more.length === 0, 'a bucket has one policy')
  return policy.Properties['PolicyDocument']
}

/** Access logs of the reports, where there are any. */
function deliverLogs(template: Template, parameter: EnvironmentParameter): Statement[] {
  if (!parameter.backup.audit) return []
  const { bucket: source } = arns(template, template.only('AWS::S3::Bucket', REPORTS))
  const { objects } = arns(template, template.only('AWS::S3::Bucket', ACCESS_LOGS))
  return [
    {
      Principal: { Service: 'logging.s3.amazonaws.com' },
      Action: ['s3:PutObject'],
      Resource: [objects('backup-reports/')],
      Condition: {
        ArnLike: { 'aws:SourceArn': source },
        StringEquals: { 'aws:SourceAccount': accountOf(parameter) },
      },
    },
  ]
}

function keptFor(days: number): Json {
  return {
    Rules: [
      { ExpirationInDays: days, NoncurrentVersionExpiration: { NoncurrentDays: days }, Status: 'Enabled' },
    ],
  }
}

export const bucketChecks: readonly Check[] = [
  {
    name: 'buckets: for access logs, and for reports where there are any',
    verify: (template, { backup }) => {
      assert.deepEqual(buckets(template).map(pathOf), [ACCESS_LOGS, ...(backup.audit ? [REPORTS] : [])])
    },
  },
  {
    name: 'buckets: closed to the public, owned by this account, versioned, kept',
    verify: (template) => {
      for (const bucket of buckets(template)) {
        assert.deepEqual(bucket.Properties['PublicAccessBlockConfiguration'], {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        })
        assert.deepEqual(bucket.Properties['OwnershipControls'], {
          Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }],
        })
        assert.deepEqual(bucket.Properties['VersioningConfiguration'], { Status: 'Enabled' })
        assertKept(bucket)
        const { LoggingConfiguration, ...settings } = bucket.Properties
        assert.deepEqual(Object.keys(settings).toSorted(), [
          'BucketEncryption',
          'LifecycleConfiguration',
          'OwnershipControls',
          'PublicAccessBlockConfiguration',
          'Tags',
          'VersioningConfiguration',
        ])
      }
    },
  },
  {
    name: 'buckets: access logs are encrypted, kept for a year, and written by S3 alone, over TLS',
    verify: (template, parameter) => {
      const bucket = template.only('AWS::S3::Bucket', ACCESS_LOGS)
      assert.deepEqual(bucket.Properties['BucketEncryption'], {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      })
      assert.deepEqual(bucket.Properties['LifecycleConfiguration'], keptFor(365))
      assertPolicy(policyOf(template, bucket), [
        ...tlsOnly(template, bucket),
        ...deliverLogs(template, parameter),
      ])
    },
  },
  {
    name: 'buckets: reports are under the backup key, kept for seven years, their readers logged',
    verify: (template, { backup }) => {
      if (!backup.audit) return
      const { Properties } = template.only('AWS::S3::Bucket', REPORTS)
      const [rule, ...more] = Properties['BucketEncryption'].ServerSideEncryptionConfiguration
      assert.equal(more.length, 0)
      assert.equal(rule.BucketKeyEnabled, true)
      const { SSEAlgorithm, KMSMasterKeyID } = rule.ServerSideEncryptionByDefault
      assert.equal(SSEAlgorithm, 'aws:kms')
      template.assertRefers(KMSMasterKeyID, 'AWS::KMS::Key', 'Keys/Backup', 'Arn')
      assert.deepEqual(Properties['LifecycleConfiguration'], keptFor(2_555))
      const { DestinationBucketName, LogFilePrefix } = Properties['LoggingConfiguration']
      template.assertRefers(DestinationBucketName, 'AWS::S3::Bucket', ACCESS_LOGS)
      assert.equal(LogFilePrefix, 'backup-reports/')
    },
  },
  {
    name: 'buckets: reports are written by AWS Backup alone, over TLS',
    verify: (template, parameter) => {
      if (!parameter.backup.audit) return
      const bucket = template.only('AWS::S3::Bucket', REPORTS)
      assertPolicy(policyOf(template, bucket), [
        ...tlsOnly(template, bucket),
        {
          Sid: 'BackupReports',
          Principal: {
            AWS: withAccount(
              parameter,
              'arn:aws:iam::',
              ':role/aws-service-role/reports.backup.amazonaws.com/AWSServiceRoleForBackupReports',
            ),
          },
          Action: ['s3:PutObject'],
          Resource: [arns(template, bucket).objects('')],
          Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } },
        },
      ])
    },
  },
]
