import { CfnConfigurationRecorder, CfnDeliveryChannel } from 'aws-cdk-lib/aws-config'
import { ArnPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Duration, Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import { keptBucket } from './kept-bucket.ts'
import { serviceRole } from './service-role.ts'

const RETENTION = Duration.days(365)

export interface RecorderProps {
  readonly name: string
  readonly key: IKey
  readonly accessLogs: IBucket
}

/** The recorder of AWS Config, of which an account has one in each region. */
export class Recorder extends Construct {
  readonly recorder: CfnConfigurationRecorder
  readonly channel: CfnDeliveryChannel

  constructor(scope: Construct, id: string, { name, key, accessLogs }: RecorderProps) {
    super(scope, id)
    const { account } = Stack.of(this)
    const bucket = keptBucket(this, 'Bucket', {
      key,
      accessLogs,
      logPrefix: 'config',
      lifecycleRules: [{ expiration: RETENTION, noncurrentVersionExpiration: RETENTION }],
    })
    acknowledge(bucket, {
      'NIST.800.53.R5-S3BucketReplicationEnabled':
        'AWS Config keeps the history itself; the bucket has copies of it for readers.',
    })
    const role = serviceRole(this, 'Role', {
      service: 'config',
      description: 'Reads the settings of what is recorded',
      awsPolicy: {
        name: 'AWS_ConfigRole',
        reason:
          'AWS extends it whenever it records a new kind of resource, which a policy of ours would miss.',
      },
      statements: [
        new PolicyStatement({ actions: ['kms:Decrypt', 'kms:GenerateDataKey'], resources: [key.keyArn] }),
      ],
    })
    // What the role may do with the bucket, the bucket says.
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: 'ConfigAsks',
        principals: [new ArnPrincipal(role.roleArn)],
        actions: ['s3:GetBucketAcl', 's3:ListBucket'],
        resources: [bucket.bucketArn],
      }),
    )
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: 'ConfigWrites',
        principals: [new ArnPrincipal(role.roleArn)],
        actions: ['s3:PutObject'],
        resources: [bucket.arnForObjects(`AWSLogs/${account}/Config/*`)],
        conditions: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } },
      }),
    )
    this.recorder = new CfnConfigurationRecorder(this, 'Recorder', {
      name,
      roleArn: role.roleArn,
      recordingGroup: { allSupported: true, includeGlobalResourceTypes: true },
    })
    this.channel = new CfnDeliveryChannel(this, 'Channel', {
      name,
      s3BucketName: bucket.bucketName,
      s3KmsKeyArn: key.keyArn,
      configSnapshotDeliveryProperties: { deliveryFrequency: 'TwentyFour_Hours' },
    })
    this.channel.node.addDependency(bucket, role)
  }
}
