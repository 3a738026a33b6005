import {
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  type ISubnet,
  SecurityGroup,
  type SubnetSelection,
  type Vpc,
} from 'aws-cdk-lib/aws-ec2'
import { AnyPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'

interface Allowed {
  /** Actions on resources, which must belong to this account or organisation. */
  readonly actions?: string[]
  /** Actions that name no resource. */
  readonly withoutResource?: string[]
}

const IMAGE_PULL: Allowed = {
  actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
  withoutResource: ['ecr:GetAuthorizationToken'],
}

/** What may pass each endpoint: what Akashi's tasks and the rotation of the secret call, and nothing else. */
const INTERFACE_ENDPOINTS: Readonly<Record<string, [InterfaceVpcEndpointAwsService, Allowed]>> = {
  Kms: [
    InterfaceVpcEndpointAwsService.KMS,
    { actions: ['kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKey'] },
  ],
  SecretsManager: [
    InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    {
      actions: [
        'secretsmanager:DescribeSecret',
        'secretsmanager:GetSecretValue',
        'secretsmanager:PutSecretValue',
        'secretsmanager:UpdateSecretVersionStage',
      ],
      withoutResource: ['secretsmanager:GetRandomPassword'],
    },
  ],
  Logs: [
    InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    { actions: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'] },
  ],
  Sts: [
    InterfaceVpcEndpointAwsService.STS,
    { actions: ['sts:AssumeRole'], withoutResource: ['sts:GetCallerIdentity'] },
  ],
  Ecr: [InterfaceVpcEndpointAwsService.ECR, IMAGE_PULL],
  EcrDocker: [InterfaceVpcEndpointAwsService.ECR_DOCKER, IMAGE_PULL],
}
const XRAY: typeof INTERFACE_ENDPOINTS = {
  Xray: [InterfaceVpcEndpointAwsService.XRAY, { withoutResource: ['xray:PutTraceSegments'] }],
}

const BUCKET_ACTIONS = [
  's3:AbortMultipartUpload',
  's3:DeleteObject',
  's3:GetBucketLocation',
  's3:GetObject',
  's3:GetObjectVersion',
  's3:ListBucket',
  's3:ListBucketMultipartUploads',
  's3:ListMultipartUploadParts',
  's3:PutObject',
  's3:PutObjectRetention',
  's3:RestoreObject',
]

export interface EndpointsProps {
  readonly vpc: Vpc
  readonly computeSubnets: SubnetSelection
  /** Interface endpoints have an address in the first so many compute subnets. */
  readonly zones: number
  readonly organizationId?: string
  /** Whether traces go to X-Ray. */
  readonly tracing: boolean
}

/** Ways to the AWS services that do not leave the network, and lead to nobody else's account. */
export class Endpoints extends Construct {
  readonly securityGroup: SecurityGroup

  constructor(scope: Construct, id: string, props: EndpointsProps) {
    super(scope, id)
    const { vpc, computeSubnets, zones, organizationId } = props
    const services = { ...INTERFACE_ENDPOINTS, ...(props.tracing ? XRAY : {}) }
    this.securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'Interface endpoints: HTTPS from the clients that are named, nothing out',
      allowAllOutbound: false,
    })

    const s3 = vpc.addGatewayEndpoint('S3', {
      service: GatewayVpcEndpointAwsService.S3,
      subnets: [computeSubnets],
    })
    for (const statement of this.statements({ actions: BUCKET_ACTIONS }, organizationId))
      s3.addToPolicy(statement)
    s3.addToPolicy(this.imageLayers())

    const subnets: ISubnet[] = vpc.selectSubnets(computeSubnets).subnets.slice(0, zones)
    if (subnets.length === 0) return
    for (const [name, [service, allowed]] of Object.entries(services)) {
      const endpoint = new InterfaceVpcEndpoint(this, name, {
        vpc,
        service,
        subnets: { subnets },
        securityGroups: [this.securityGroup],
        privateDnsEnabled: true,
        open: false,
      })
      for (const statement of this.statements(allowed, organizationId)) endpoint.addToPolicy(statement)
    }
  }

  /** Both ends, caller and resource, are of this account, or of the organisation where one is given. */
  private statements(
    { actions = [], withoutResource = [] }: Allowed,
    organizationId?: string,
  ): PolicyStatement[] {
    const [kind, owner] =
      organizationId === undefined ? ['Account', Stack.of(this).account] : ['OrgID', organizationId]
    const caller = { [`aws:Principal${kind}`]: owner }
    const resource = { [`aws:Resource${kind}`]: owner }
    const allow = (sid: string, names: string[], condition: Record<string, string>): PolicyStatement =>
      new PolicyStatement({
        sid,
        principals: [new AnyPrincipal()],
        actions: names,
        resources: ['*'],
        conditions: { StringEquals: condition },
      })
    return [
      ...(actions.length === 0 ? [] : [allow('OwnResources', actions, { ...caller, ...resource })]),
      ...(withoutResource.length === 0 ? [] : [allow('WithoutResource', withoutResource, caller)]),
    ]
  }

  /** Layers of images lie in a bucket of AWS and are fetched by signed URLs. */
  private imageLayers(): PolicyStatement {
    const { partition, region } = Stack.of(this)
    return new PolicyStatement({
      sid: 'ImageLayers',
      principals: [new AnyPrincipal()],
      actions: ['s3:GetObject'],
      resources: [`arn:${partition}:s3:::prod-${region}-starport-layer-bucket/*`],
    })
  }
}
