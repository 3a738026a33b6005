import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Bucket, IBucket } from 'aws-cdk-lib/aws-s3'
import { Duration, Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import { archiveBucketName, taskRoleArns } from '../names.ts'
import type { ArchiveParameter } from '../parameter.ts'
import { ArchiveCatalog } from './archive-catalog.ts'
import { keptBucket } from './kept-bucket.ts'
import { storeLifecycle } from './store-lifecycle.ts'
import { writersOnly } from './store-policy.ts'

const RESULTS_KEPT = Duration.days(7)

export interface ArchiveProps {
  readonly name: string
  readonly region: string
  readonly parameter: ArchiveParameter
  readonly key: IKey
  readonly accessLogs: IBucket
}

/** The object store of Akashi: archive, checkpoints, files; and how Athena reads the archive. */
export class Archive extends Construct {
  readonly bucket: Bucket

  constructor(scope: Construct, id: string, props: ArchiveProps) {
    super(scope, id)
    const { name, key, accessLogs } = props
    const bucketName = archiveBucketName(this, name)
    this.bucket = keptBucket(this, 'Bucket', {
      name: bucketName,
      key,
      accessLogs,
      logPrefix: 'archive',
      objectLock: true,
      lifecycleRules: storeLifecycle(),
      statements: writersOnly(bucketName, this, {
        writers: taskRoleArns(Stack.of(this), name),
        keyArn: key.keyArn,
      }),
    })
    const results = keptBucket(this, 'Results', {
      key,
      accessLogs,
      logPrefix: 'results',
      lifecycleRules: [{ expiration: RESULTS_KEPT, noncurrentVersionExpiration: RESULTS_KEPT }],
    })
    new ArchiveCatalog(this, 'Catalog', { ...props, archive: this.bucket, results })
    acknowledge(this.bucket, {
      'NIST.800.53.R5-S3BucketReplicationEnabled':
        'The weekly copies of the record go to the witness bucket; a replica would hold personal data twice.',
    })
    acknowledge(results, {
      'NIST.800.53.R5-S3BucketReplicationEnabled': 'A result is gone after a week and can be queried again.',
    })
  }
}
