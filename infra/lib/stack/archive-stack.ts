import { Key } from 'aws-cdk-lib/aws-kms'
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { AccessLogs } from '../construct/access-logs.ts'
import { Archive } from '../construct/archive.ts'
import { environmentName } from '../names.ts'
import type { EnvironmentParameter } from '../parameter.ts'

export interface ArchiveStackProps extends StackProps {
  readonly parameter: EnvironmentParameter
  readonly keyArn: string
}

/** The object store and its tables. */
export class ArchiveStack extends Stack {
  readonly archive: Archive

  constructor(scope: Construct, id: string, props: ArchiveStackProps) {
    super(scope, id, props)
    const { parameter, keyArn } = props
    this.archive = new Archive(this, 'Archive', {
      name: environmentName(parameter),
      region: parameter.region,
      parameter: parameter.archive,
      key: Key.fromKeyArn(this, 'Key', keyArn),
      accessLogs: new AccessLogs(this, 'AccessLogs').bucket,
    })
    new CfnOutput(this, 'ArchiveBucket', {
      description: 'Bucket of the object store',
      value: this.archive.bucket.bucketName,
    })
  }
}
