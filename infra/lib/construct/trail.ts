import { CfnTrail } from 'aws-cdk-lib/aws-cloudtrail'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Duration, Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Ownership } from '../parameter.ts'
import { keptBucket } from './kept-bucket.ts'
import { logGroup } from './log-group.ts'
import { serviceRole } from './service-role.ts'

/** As long as access logs; the ledger itself says who changed the data. */
const RETENTION = Duration.days(365)

export interface TrailProps {
  /** Of the environment, and of the trail. */
  readonly name: string
  readonly key: IKey
  readonly accessLogs: IBucket
  /** Buckets whose objects are watched. */
  readonly buckets: readonly string[]
  readonly management: Ownership
}

export function trailArn(scope: Construct, name: string): string {
  const { partition, region, account } = Stack.of(scope)
  return `arn:${partition}:cloudtrail:${region}:${account}:trail/${name}`
}

/**
 * Who read or wrote an object of the archive; and, unless the account has such a trail already, who called what. A
 * second trail of management events would be charged by the event.
 */
export class Trail extends Construct {
  constructor(scope: Construct, id: string, props: TrailProps) {
    super(scope, id)
    const { name, key, management } = props
    const bucket = keptBucket(this, 'Bucket', {
      key,
      accessLogs: props.accessLogs,
      logPrefix: 'trail',
      lifecycleRules: [{ expiration: RETENTION, noncurrentVersionExpiration: RETENTION }],
    })
    acknowledge(bucket, {
      'NIST.800.53.R5-S3BucketReplicationEnabled':
        'CloudTrail keeps management events for 90 days itself, and digests show what is missing.',
    })
    const source = { 'aws:SourceArn': trailArn(this, name) }
    const cloudTrail = [new ServicePrincipal('cloudtrail.amazonaws.com')]
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: 'TrailAsks',
        principals: cloudTrail,
        actions: ['s3:GetBucketAcl'],
        resources: [bucket.bucketArn],
        conditions: { StringEquals: source },
      }),
    )
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: 'TrailWrites',
        principals: cloudTrail,
        actions: ['s3:PutObject'],
        resources: [bucket.arnForObjects(`AWSLogs/${Stack.of(this).account}/*`)],
        conditions: { StringEquals: { ...source, 's3:x-amz-acl': 'bucket-owner-full-control' } },
      }),
    )
    const log = logGroup(this, 'Log', { name: `/${name}/trail`, key })
    const role = serviceRole(this, 'Role', {
      service: 'cloudtrail',
      description: 'Writes the trail into its log group',
      statements: [
        new PolicyStatement({
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          resources: [log.logGroupArn],
        }),
      ],
    })
    const trail = new CfnTrail(this, 'Trail', {
      trailName: name,
      isLogging: true,
      isMultiRegionTrail: management === 'create',
      includeGlobalServiceEvents: management === 'create',
      enableLogFileValidation: true,
      s3BucketName: bucket.bucketName,
      kmsKeyId: key.keyArn,
      cloudWatchLogsLogGroupArn: log.logGroupArn,
      cloudWatchLogsRoleArn: role.roleArn,
      advancedEventSelectors: [
        ...(management === 'create'
          ? [
              {
                name: 'Who calls what',
                fieldSelectors: [{ field: 'eventCategory', equalTo: ['Management'] }],
              },
            ]
          : []),
        {
          name: 'Objects of the archive',
          fieldSelectors: [
            { field: 'eventCategory', equalTo: ['Data'] },
            { field: 'resources.type', equalTo: ['AWS::S3::Object'] },
            {
              field: 'resources.ARN',
              startsWith: props.buckets.map((one) => `arn:${Stack.of(this).partition}:s3:::${one}/`),
            },
          ],
        },
      ],
    })
    trail.node.addDependency(bucket, role)
  }
}
