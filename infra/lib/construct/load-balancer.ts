import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import { type IVpc, Peer, Port, SecurityGroup, type SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import {
  ApplicationLoadBalancer,
  ApplicationProtocol,
  ApplicationTargetGroup,
  SslPolicy,
  TargetType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2'
import { Duration } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'

const HTTPS = 443
const PORT = 4180
/** Longer than the pings of the chat's sockets. */
const IDLE_TIMEOUT = Duration.seconds(120)
/** `serve` finishes what runs within 30 s. */
const DRAINING = Duration.seconds(30)

export interface LoadBalancerProps {
  readonly name: string
  readonly vpc: IVpc
  /** Of the network. */
  readonly cidr: string
  readonly subnets: SubnetSelection
  readonly certificateArn: string
  readonly accessLogs: IBucket
  readonly webAclArn: string
}

/** A load balancer without a public address: people come through CloudFront, programs from the network. */
export class LoadBalancer extends Construct {
  readonly balancer: ApplicationLoadBalancer
  readonly targets: ApplicationTargetGroup
  readonly securityGroup: SecurityGroup

  constructor(scope: Construct, id: string, props: LoadBalancerProps) {
    super(scope, id)
    const { vpc } = props
    this.securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'Load balancer: HTTPS from the network, to the tasks',
      allowAllOutbound: false,
    })
    this.securityGroup.addIngressRule(Peer.ipv4(props.cidr), Port.tcp(HTTPS), 'CloudFront and the network')
    this.balancer = new ApplicationLoadBalancer(this, 'Balancer', {
      loadBalancerName: props.name,
      vpc,
      vpcSubnets: props.subnets,
      internetFacing: false,
      securityGroup: this.securityGroup,
      deletionProtection: true,
      dropInvalidHeaderFields: true,
      idleTimeout: IDLE_TIMEOUT,
    })
    this.balancer.logAccessLogs(props.accessLogs, 'load-balancer')
    this.targets = new ApplicationTargetGroup(this, 'Targets', {
      vpc,
      port: PORT,
      protocol: ApplicationProtocol.HTTP,
      targetType: TargetType.IP,
      deregistrationDelay: DRAINING,
      healthCheck: {
        path: '/healthz',
        // The check names the address of the task as host, which Akashi refuses: it lives. Whether it reaches the
        // database is the business of alarms: tasks that are replaced while it is away would not bring it back.
        healthyHttpCodes: '403',
        interval: Duration.seconds(15),
        timeout: Duration.seconds(5),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 3,
      },
    })
    this.balancer.addListener('Https', {
      port: HTTPS,
      protocol: ApplicationProtocol.HTTPS,
      sslPolicy: SslPolicy.TLS13_RES,
      certificates: [Certificate.fromCertificateArn(this, 'Certificate', props.certificateArn)],
      defaultTargetGroups: [this.targets],
      open: false,
    })
    new CfnWebACLAssociation(this, 'WebAcl', {
      resourceArn: this.balancer.loadBalancerArn,
      webAclArn: props.webAclArn,
    })
  }

  /** Tasks take HTTP from the load balancer alone. */
  admit(tasks: SecurityGroup): void {
    tasks.addIngressRule(this.securityGroup, Port.tcp(PORT), 'Load balancer')
    this.securityGroup.addEgressRule(tasks, Port.tcp(PORT), 'Tasks')
  }
}
