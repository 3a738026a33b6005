import type { IKey } from 'aws-cdk-lib/aws-kms'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { RemovalPolicy } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'

const RETENTION = RetentionDays.ONE_MONTH

/** An encrypted log group, kept when the stack goes. */
export function logGroup(scope: Construct, id: string, { name, key }: { name: string; key: IKey }): LogGroup {
  return new LogGroup(scope, id, {
    logGroupName: name,
    encryptionKey: key,
    retention: RETENTION,
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  })
}
