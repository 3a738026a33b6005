import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Stack } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'

const WRITING = [
  's3:PutObject',
  's3:DeleteObject',
  's3:DeleteObjectVersion',
  's3:PutObjectRetention',
  's3:PutObjectLegalHold',
  's3:RestoreObject',
]
/** What would undo the lock or the versions. */
const UNDOING = [
  's3:BypassGovernanceRetention',
  's3:DeleteBucket',
  's3:PutBucketObjectLockConfiguration',
  's3:PutBucketVersioning',
]

/**
 * Nobody but the writers changes an object of a store, whatever IAM gives them, and nobody shortens a retention.
 * An administrator who edits this policy first leaves a trace in CloudTrail.
 */
export function writersOnly(
  bucketName: string,
  scope: Construct,
  { writers, keyArn }: { readonly writers: readonly string[]; readonly keyArn: string },
): PolicyStatement[] {
  const bucket = `arn:${Stack.of(scope).partition}:s3:::${bucketName}`
  const deny = (sid: string, actions: string[], resource: string, conditions?: Record<string, unknown>) =>
    new PolicyStatement({
      sid,
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions,
      resources: [resource],
      ...(conditions === undefined ? {} : { conditions }),
    })
  return [
    deny('WritersOnly', WRITING, `${bucket}/*`, { ArnNotEquals: { 'aws:PrincipalArn': [...writers] } }),
    // A request that names no encryption gets that of the bucket. Where the key is absent, a negated operator holds,
    // with IfExists too, and would deny every such request; so Null asks first.
    ...[
      ['NoOtherEncryption', 's3:x-amz-server-side-encryption', 'aws:kms'] as const,
      ['NoOtherKey', 's3:x-amz-server-side-encryption-aws-kms-key-id', keyArn] as const,
    ].map(([sid, header, value]) =>
      deny(sid, ['s3:PutObject'], `${bucket}/*`, {
        Null: { [header]: 'false' },
        StringNotEquals: { [header]: value },
      }),
    ),
    deny('NoUndoing', [UNDOING[0] as string], `${bucket}/*`),
    deny('NoUndoingOfTheBucket', UNDOING.slice(1), bucket),
  ]
}
