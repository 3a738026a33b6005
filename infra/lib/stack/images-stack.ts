import { Repository, RepositoryEncryption, TagMutability } from 'aws-cdk-lib/aws-ecr'
import { CfnOutput, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { keyPolicy, useThroughServices } from '../construct/key-policy.ts'
import { customerKey } from '../construct/keys.ts'

/** Rollbacks need the image before; older ones are built again from their sources. */
const IMAGES_KEPT = 50

export interface ImagesStackProps extends StackProps {
  readonly project: string
  readonly name: string
}

/** Where the image of deploy/Containerfile goes before the services are deployed. */
export class ImagesStack extends Stack {
  readonly repository: Repository

  constructor(scope: Construct, id: string, props: ImagesStackProps) {
    super(scope, id, props)
    const key = customerKey(this, 'Key', {
      alias: `${props.name}/images`,
      description: `${props.project} image encryption key`,
      policy: keyPolicy(...useThroughServices(this, 'ecr')),
    })
    this.repository = new Repository(this, 'Repository', {
      repositoryName: props.name,
      imageTagMutability: TagMutability.IMMUTABLE,
      imageScanOnPush: true,
      encryption: RepositoryEncryption.KMS,
      encryptionKey: key,
      lifecycleRules: [{ maxImageCount: IMAGES_KEPT }],
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    })
    new CfnOutput(this, 'RepositoryUri', {
      description: 'Where the image is pushed to',
      value: this.repository.repositoryUri,
    })
  }
}
