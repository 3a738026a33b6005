import { Repository, RepositoryEncryption, TagMutability } from 'aws-cdk-lib/aws-ecr'
import type { Key } from 'aws-cdk-lib/aws-kms'
import { CfnOutput, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { keyPolicy, useThroughServices } from '../construct/key-policy.ts'
import { customerKey } from '../construct/keys.ts'

/** Rollbacks need the image before; older ones are built again from their sources. */
const IMAGES_KEPT = 50

export interface ImagesStackProps extends StackProps {
  readonly project: string
  readonly name: string
  /** Whether the image of AWS's collector is kept beside Akashi's. */
  readonly collector: boolean
}

/** Where the image of deploy/Containerfile goes before the services are deployed, and a copy of the collector's. */
export class ImagesStack extends Stack {
  readonly repository: Repository
  readonly collector?: Repository

  constructor(scope: Construct, id: string, props: ImagesStackProps) {
    super(scope, id, props)
    const key = customerKey(this, 'Key', {
      alias: `${props.name}/images`,
      description: `${props.project} image encryption key`,
      policy: keyPolicy(...useThroughServices(this, 'ecr')),
    })
    this.repository = this.add('Repository', props.name, key)
    new CfnOutput(this, 'RepositoryUri', {
      description: 'Where the image is pushed to',
      value: this.repository.repositoryUri,
    })
    if (!props.collector) return
    this.collector = this.add('Collector', `${props.name}-collector`, key)
    new CfnOutput(this, 'CollectorRepositoryUri', {
      description: "Where the image of AWS's collector is copied to",
      value: this.collector.repositoryUri,
    })
  }

  private add(id: string, repositoryName: string, encryptionKey: Key): Repository {
    return new Repository(this, id, {
      repositoryName,
      imageTagMutability: TagMutability.IMMUTABLE,
      imageScanOnPush: true,
      encryption: RepositoryEncryption.KMS,
      encryptionKey,
      lifecycleRules: [{ maxImageCount: IMAGES_KEPT }],
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    })
  }
}
