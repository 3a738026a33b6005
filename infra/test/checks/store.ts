/** What the buckets of stores have in common. */
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import type { Json } from '../support/template.ts'
import { type ExactCheck, exactly } from './exactly.ts'

export const CLOSED: Json = {
  OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
  PublicAccessBlockConfiguration: {
    BlockPublicAcls: true,
    BlockPublicPolicy: true,
    IgnorePublicAcls: true,
    RestrictPublicBuckets: true,
  },
  VersioningConfiguration: { Status: 'Enabled' },
}

export function encryptedUnder(key: string): Json {
  const ServerSideEncryptionByDefault = { KMSMasterKeyID: key, SSEAlgorithm: 'aws:kms' }
  return {
    BucketEncryption: {
      ServerSideEncryptionConfiguration: [{ BucketKeyEnabled: true, ServerSideEncryptionByDefault }],
    },
  }
}

export function loggedTo(prefix: string): Json {
  return {
    LoggingConfiguration: { DestinationBucketName: '<AccessLogs/Bucket>', LogFilePrefix: `${prefix}/` },
  }
}

export function keptFor(days: number): Json {
  return {
    LifecycleConfiguration: {
      Rules: [
        {
          ExpirationInDays: days,
          NoncurrentVersionExpiration: { NoncurrentDays: days },
          Status: 'Enabled',
        },
      ],
    },
  }
}

/** 180 days, 365 days, and what was deleted after 30 more. */
export const TIERS: Json = {
  LifecycleConfiguration: {
    Rules: [
      {
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 },
        Id: 'akashi-unfinished-uploads',
        Status: 'Enabled',
      },
      {
        Id: 'akashi-archive',
        ObjectSizeGreaterThan: 131_072,
        Prefix: 'archive/',
        Status: 'Enabled',
        Transitions: [
          { StorageClass: 'STANDARD_IA', TransitionInDays: 180 },
          { StorageClass: 'DEEP_ARCHIVE', TransitionInDays: 365 },
        ],
      },
      {
        Id: 'akashi-audit-copies',
        ObjectSizeGreaterThan: 131_072,
        Prefix: 'audit-copies/cold/',
        Status: 'Enabled',
        Transitions: [{ StorageClass: 'GLACIER', TransitionInDays: 1 }],
      },
      {
        ExpiredObjectDeleteMarker: true,
        Id: 'deleted',
        NoncurrentVersionExpiration: { NoncurrentDays: 30 },
        Status: 'Enabled',
      },
    ],
  },
}

/** The policy of a bucket: TLS 1.2 or newer, then what is given. */
export function policyOf(bucket: string, ...statements: Json[]): Json {
  const arn = `<${bucket}.Arn>`
  const refuse = (Condition: Json) => ({
    Action: 's3:*',
    Condition,
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Resource: [arn, `${arn}/*`],
  })
  const Statement = [
    refuse({ Bool: { 'aws:SecureTransport': 'false' } }),
    refuse({ NumericLessThan: { 's3:TlsVersion': 1.2 } }),
    ...statements,
  ]
  return { Bucket: `<${bucket}>`, PolicyDocument: { Statement, Version: '2012-10-17' } }
}

/** Only the writers change objects, nobody lifts a lock. */
export function writersOnly(bucketName: string, key: string, writers: string[]): Json[] {
  const deny = (Sid: string, Action: Json, Resource: string, Condition?: Json) => ({
    Action,
    ...(Condition === undefined ? {} : { Condition }),
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Resource,
    Sid,
  })
  const bucket = `arn:aws:s3:::${bucketName}`
  const changing =
    'DeleteObject DeleteObjectVersion PutObject PutObjectLegalHold PutObjectRetention RestoreObject'
  return [
    deny(
      'WritersOnly',
      changing.split(' ').map((call) => `s3:${call}`),
      `${bucket}/*`,
      { ArnNotEquals: { 'aws:PrincipalArn': writers } },
    ),
    deny('NoOtherEncryption', 's3:PutObject', `${bucket}/*`, {
      Null: { 's3:x-amz-server-side-encryption': 'false' },
      StringNotEquals: { 's3:x-amz-server-side-encryption': 'aws:kms' },
    }),
    deny('NoOtherKey', 's3:PutObject', `${bucket}/*`, {
      Null: { 's3:x-amz-server-side-encryption-aws-kms-key-id': 'false' },
      StringNotEquals: { 's3:x-amz-server-side-encryption-aws-kms-key-id': key },
    }),
    deny('NoUndoing', 's3:BypassGovernanceRetention', `${bucket}/*`),
    deny(
      'NoUndoingOfTheBucket',
      ['s3:DeleteBucket', 's3:PutBucketObjectLockConfiguration', 's3:PutBucketVersioning'],
      bucket,
    ),
  ]
}

/** The bucket of access logs, written by S3 alone for these buckets, each under its prefix. */
export function accessLogs(
  stack: string,
  account: (parameter: Json) => string,
  sources: Record<string, string> | ((parameter: EnvironmentParameter) => Record<string, string>),
): ExactCheck[] {
  const deliveries = (parameter: EnvironmentParameter, from: string) =>
    Object.entries(typeof sources === 'function' ? sources(parameter) : sources).map(([prefix, source]) => ({
      Action: 's3:PutObject',
      Condition: {
        ArnLike: { 'aws:SourceArn': `<${source}.Arn>` },
        StringEquals: { 'aws:SourceAccount': from },
      },
      Effect: 'Allow',
      Principal: { Service: 'logging.s3.amazonaws.com' },
      Resource: `<AccessLogs/Bucket.Arn>/${prefix}/*`,
    }))
  return [
    exactly(
      `${stack}: access logs are encrypted, kept for a year, closed to the public`,
      'AWS::S3::Bucket',
      'AccessLogs/Bucket',
      {
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
        },
        ...keptFor(365),
        ...CLOSED,
      },
      { kept: true },
    ),
    exactly(
      `${stack}: access logs are written by S3 alone, over TLS`,
      'AWS::S3::BucketPolicy',
      'AccessLogs/Bucket/Policy',
      (parameter) => policyOf('AccessLogs/Bucket', ...deliveries(parameter, account(parameter))),
    ),
  ]
}
