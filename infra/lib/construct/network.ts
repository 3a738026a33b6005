import {
  FlowLogDestination,
  FlowLogMaxAggregationInterval,
  FlowLogTrafficType,
  type IConnectable,
  IpAddresses,
  type ISecurityGroup,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  type SubnetSelection,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { type CfnResource, Stack } from 'aws-cdk-lib/core'
import { Construct, type IDependable } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import { isExistingNetwork } from '../check-parameter.ts'
import type { ExistingNetwork, NewNetwork } from '../parameter.ts'
import { Endpoints } from './endpoints.ts'
import { logGroup } from './log-group.ts'
import { serviceRole } from './service-role.ts'
import { subnetsFor } from './subnets.ts'

export interface NetworkProps {
  readonly name: string
  readonly network: NewNetwork | ExistingNetwork
  readonly organizationId?: string
  /** Whether traces go to X-Ray. */
  readonly tracing: boolean
  readonly logsKey: IKey
}

/**
 * Data subnets without any route out of the VPC, compute subnets with a way to the AWS services, and the
 * security group of the database, which begins with no rule at all.
 */
export class Network extends Construct {
  readonly vpc: IVpc
  readonly dataSubnets: SubnetSelection
  readonly computeSubnets: SubnetSelection
  readonly databaseSecurityGroup: ISecurityGroup
  /** Ways to the AWS services; none in a network that the account had. */
  readonly endpoints?: Endpoints

  constructor(scope: Construct, id: string, props: NetworkProps) {
    super(scope, id)
    const { network } = props
    if (isExistingNetwork(network)) {
      this.vpc = existingVpc(this, network)
      this.dataSubnets = { subnetType: SubnetType.PRIVATE_ISOLATED }
      this.computeSubnets = { subnetType: SubnetType.PRIVATE_WITH_EGRESS }
      this.databaseSecurityGroup = this.securityGroup(network.databaseSecurityGroupId)
      return
    }
    this.dataSubnets = { subnetGroupName: 'Data' }
    this.computeSubnets = { subnetGroupName: 'Compute' }
    const vpc = new Vpc(this, 'Vpc', {
      vpcName: props.name,
      ipAddresses: IpAddresses.cidr(network.cidr),
      availabilityZones: [...network.availabilityZones],
      natGateways: network.natGateways,
      subnetConfiguration: subnetsFor(network),
      restrictDefaultSecurityGroup: true,
    })
    this.vpc = vpc
    acknowledgeVpc(vpc)
    this.recordFlows(vpc, props)
    logDefaultSecurityGroup(this, vpc, props)
    this.databaseSecurityGroup = this.securityGroup()
    this.endpoints = new Endpoints(this, 'Endpoints', {
      vpc,
      computeSubnets: this.computeSubnets,
      zones: network.endpointZones,
      organizationId: props.organizationId,
      tracing: props.tracing,
    })
  }

  /** Lets `client` call the AWS services. */
  allowAwsServices(client: IConnectable): void {
    // Where there is no endpoint of ours, their addresses are not known.
    client.connections.allowTo(
      this.endpoints?.securityGroup ?? Peer.anyIpv4(),
      Port.HTTPS,
      'HTTPS to AWS services',
    )
  }

  /** What has to be there before a client calls the AWS services. */
  waysToAwsServices(): IDependable[] {
    return [this.vpc, ...(this.endpoints === undefined ? [] : [this.endpoints])]
  }

  private securityGroup(existingId?: string): ISecurityGroup {
    if (existingId !== undefined) {
      return SecurityGroup.fromSecurityGroupId(this, 'DatabaseSecurityGroup', existingId)
    }
    return new SecurityGroup(this, 'DatabaseSecurityGroup', {
      vpc: this.vpc,
      description: 'Aurora: PostgreSQL from the clients that are named, nothing out',
      allowAllOutbound: false,
    })
  }

  private recordFlows(vpc: Vpc, { name, logsKey }: NetworkProps): void {
    const group = logGroup(this, 'FlowLogs', { name: `/${name}/flow-logs`, key: logsKey })
    const role = serviceRole(this, 'FlowLogsRole', {
      service: 'vpc-flow-logs',
      description: 'Writes the flow logs',
      statements: [
        new PolicyStatement({
          actions: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
          resources: [group.logGroupArn],
        }),
      ],
    })
    vpc.addFlowLog('All', {
      destination: FlowLogDestination.toCloudWatchLogs(group, role.withoutPolicyUpdates()),
      trafficType: FlowLogTrafficType.ALL,
      maxAggregationInterval: FlowLogMaxAggregationInterval.ONE_MINUTE,
    })
  }
}

function existingVpc(scope: Construct, network: ExistingNetwork): IVpc {
  const vpc = Vpc.fromVpcAttributes(scope, 'Vpc', {
    vpcId: network.vpcId,
    vpcCidrBlock: network.cidr,
    availabilityZones: [...network.availabilityZones],
    isolatedSubnetIds: [...network.dataSubnetIds],
    privateSubnetIds: [...network.computeSubnetIds],
  })
  for (const subnet of [...vpc.isolatedSubnets, ...vpc.privateSubnets]) {
    acknowledge(subnet, {
      '@aws-cdk/aws-ec2:noSubnetRouteTableId': 'No route is added to a network that others look after.',
    })
  }
  return vpc
}

/** The function of the CDK that empties the VPC's default security group would log unencrypted and for ever. */
function logDefaultSecurityGroup(scope: Construct, vpc: Vpc, { name, logsKey }: NetworkProps): void {
  const group = logGroup(scope, 'DefaultSecurityGroupLog', {
    name: `/${name}/default-security-group`,
    key: logsKey,
  })
  const provider = Stack.of(scope).node.findChild('Custom::VpcRestrictDefaultSGCustomResourceProvider')
  const handler = provider.node.findChild('Handler') as CfnResource
  handler.addPropertyOverride('LoggingConfig.LogGroup', group.logGroupName)
  vpc.node.findChild('RestrictDefaultSecurityGroupCustomResource').node.addDependency(group)
}

function acknowledgeVpc(vpc: Vpc): void {
  for (const subnet of [...vpc.isolatedSubnets, ...vpc.privateSubnets, ...vpc.publicSubnets]) {
    acknowledge(subnet, {
      'CloudFormation-Validate::W3010':
        'A position in the list of zones shifts when AWS adds one, which would replace the subnet of a running database; a name stays.',
    })
  }
  for (const subnet of vpc.publicSubnets) {
    acknowledge(subnet.node.findChild('DefaultRoute'), {
      'NIST.800.53.R5-VPCNoUnrestrictedRouteToIGW':
        'The public subnets hold the NAT gateways alone, which need this route and admit nothing from outside.',
    })
  }
}
