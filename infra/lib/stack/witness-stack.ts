import { AccountPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { ObjectLockRetention } from 'aws-cdk-lib/aws-s3'
import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import { AccessLogs } from '../construct/access-logs.ts'
import { keptBucket } from '../construct/kept-bucket.ts'
import { keyPolicy, USE, useThroughServices } from '../construct/key-policy.ts'
import { customerKey } from '../construct/keys.ts'
import { storeLifecycle } from '../construct/store-lifecycle.ts'
import { writersOnly } from '../construct/store-policy.ts'
import { roleArn, witnessBucketName } from '../names.ts'

/** As long as Akashi keeps the cold copies of the trail, three years. */
const LOCKED = Duration.days(1095)
const CALLS = [
  's3:AbortMultipartUpload',
  's3:DeleteObject',
  's3:GetObject',
  's3:ListBucket',
  's3:PutObject',
  's3:PutObjectRetention',
]

export interface WitnessStackProps extends StackProps {
  readonly project: string
  readonly name: string
  readonly account: string
  /** Account of the environment, whose worker writes here. */
  readonly writer: string
  readonly lock: 'governance' | 'compliance'
}

/**
 * Where the copies of the sealed logs and their checkpoints lie out of reach of whoever administers the
 * database. Object Lock keeps every version; a deletion only hides it.
 */
export class WitnessStack extends Stack {
  constructor(scope: Construct, id: string, props: WitnessStackProps) {
    super(scope, id, props)
    const { name, account, writer, project, lock } = props
    const worker = roleArn(this.partition, writer, `${name}-work`)
    const key = customerKey(this, 'Key', {
      alias: `${name}/witness`,
      description: `${project} witness encryption key`,
      policy: keyPolicy(
        ...useThroughServices(this, 's3'),
        new PolicyStatement({
          sid: 'Worker',
          principals: [new AccountPrincipal(writer)],
          actions: USE,
          resources: ['*'],
          conditions: {
            ArnEquals: { 'aws:PrincipalArn': worker },
            StringEquals: { 'kms:ViaService': `s3.${this.region}.amazonaws.com` },
          },
        }),
      ),
    })
    const bucketName = witnessBucketName(name, account)
    const bucket = keptBucket(this, 'Bucket', {
      name: bucketName,
      key,
      accessLogs: new AccessLogs(this, 'AccessLogs').bucket,
      logPrefix: 'witness',
      objectLock:
        lock === 'compliance'
          ? ObjectLockRetention.compliance(LOCKED)
          : ObjectLockRetention.governance(LOCKED),
      lifecycleRules: storeLifecycle(),
      statements: [
        new PolicyStatement({
          sid: 'Worker',
          // By a condition: a principal has to exist, and the worker comes later.
          principals: [new AccountPrincipal(writer)],
          actions: CALLS,
          resources: [
            `arn:${this.partition}:s3:::${bucketName}`,
            `arn:${this.partition}:s3:::${bucketName}/*`,
          ],
          conditions: { ArnEquals: { 'aws:PrincipalArn': worker } },
        }),
        ...writersOnly(bucketName, this, { writers: [worker], keyArn: key.keyArn }),
      ],
    })
    acknowledge(bucket, {
      'NIST.800.53.R5-S3BucketReplicationEnabled':
        'It is the copy in another account of what the archive holds; nobody can delete a version of it.',
    })
    new CfnOutput(this, 'WitnessBucket', { value: bucketName, description: 'Second store of the worker' })
  }
}
