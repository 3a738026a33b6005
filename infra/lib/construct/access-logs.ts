import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'

const RETENTION = Duration.days(365)
const NOT_ITSELF = 'It receives the access logs of the others; logging its own would never end.'

/** Who read what in the other buckets. */
export class AccessLogs extends Construct {
  readonly bucket: Bucket

  /** `spare`: in some environments no bucket of the stack is logged. */
  constructor(scope: Construct, id: string, { spare = false }: { readonly spare?: boolean } = {}) {
    super(scope, id)
    this.bucket = new Bucket(this, 'Bucket', {
      // S3 delivers access logs under no other kind of key.
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: true,
      lifecycleRules: [{ expiration: RETENTION, noncurrentVersionExpiration: RETENTION }],
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    })
    if (spare) {
      acknowledge(this.bucket, {
        'AwsSolutions-S1': NOT_ITSELF,
        'NIST.800.53.R5-S3BucketLoggingEnabled': NOT_ITSELF,
      })
    }
    acknowledge(this.bucket, {
      'NIST.800.53.R5-S3BucketReplicationEnabled':
        'Access logs are delivered here in one region, and losing that region loses the buckets they tell of too.',
      'NIST.800.53.R5-S3DefaultEncryptionKMS': 'S3 delivers access logs to buckets with SSE-S3 only.',
    })
  }
}
