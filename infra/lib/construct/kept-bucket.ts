import type { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type IBucket,
  type LifecycleRule,
  ObjectLockRetention,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import { RemovalPolicy } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'

export interface KeptBucketProps {
  readonly name?: string
  readonly key: IKey
  readonly accessLogs: IBucket
  /** Prefix of its access logs. */
  readonly logPrefix: string
  /** Lets objects be locked; a retention is that of every object that names none. */
  readonly objectLock?: true | ObjectLockRetention
  readonly lifecycleRules: LifecycleRule[]
  readonly statements?: PolicyStatement[]
}

/** A bucket under a customer managed key: versioned, closed to the public, over TLS only, kept when its stack goes. */
export function keptBucket(scope: Construct, id: string, props: KeptBucketProps): Bucket {
  const bucket = new Bucket(scope, id, {
    ...(props.name === undefined ? {} : { bucketName: props.name }),
    encryption: BucketEncryption.KMS,
    encryptionKey: props.key,
    bucketKeyEnabled: true,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    versioned: true,
    ...(props.objectLock === undefined ? {} : { objectLockEnabled: true }),
    ...(props.objectLock instanceof ObjectLockRetention
      ? { objectLockDefaultRetention: props.objectLock }
      : {}),
    serverAccessLogsBucket: props.accessLogs,
    serverAccessLogsPrefix: `${props.logPrefix}/`,
    lifecycleRules: props.lifecycleRules,
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  })
  for (const statement of props.statements ?? []) bucket.addToResourcePolicy(statement)
  if (props.lifecycleRules.some(({ objectSizeGreaterThan }) => objectSizeGreaterThan !== undefined)) {
    acknowledge(bucket, {
      'CloudFormation-Validate::W9003':
        'The CDK writes the size as a number, which CloudFormation takes as well.',
    })
  }
  return bucket
}
