import { type CfnScalableTarget, CfnScalingPolicy } from 'aws-cdk-lib/aws-applicationautoscaling'
import type { ISecurityGroup, SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import {
  type Cluster,
  FargatePlatformVersion,
  FargateService,
  type FargateTaskDefinition,
  PropagatedTagSource,
} from 'aws-cdk-lib/aws-ecs'
import type { ApplicationTargetGroup } from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import { Duration } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'

const TARGET_CPU_PERCENT = 60
/** A task answers a thousand chat sockets on a quarter of its processor. */
const CONNECTIONS_PER_TASK = 1_000
const COOLDOWN = { scaleOutCooldown: Duration.minutes(1), scaleInCooldown: Duration.minutes(10) }
const STARTING = Duration.minutes(2)

export interface ServiceProps {
  readonly name: string
  readonly cluster: Cluster
  readonly definition: FargateTaskDefinition
  readonly securityGroup: ISecurityGroup
  readonly subnets: SubnetSelection
  readonly minTasks: number
  readonly maxTasks: number
  /** Of the load balancer, for the one that it leads to. */
  readonly targets?: ApplicationTargetGroup
}

/** Keeps tasks running; a deployment that does not come up is taken back. */
export function service(scope: Construct, id: string, props: ServiceProps): FargateService {
  const { targets, minTasks, maxTasks } = props
  const running = new FargateService(scope, id, {
    serviceName: props.name,
    cluster: props.cluster,
    taskDefinition: props.definition,
    desiredCount: minTasks,
    minHealthyPercent: 100,
    maxHealthyPercent: 200,
    circuitBreaker: { enable: true, rollback: true },
    platformVersion: FargatePlatformVersion.VERSION1_4,
    assignPublicIp: false,
    securityGroups: [props.securityGroup],
    vpcSubnets: props.subnets,
    enableExecuteCommand: false,
    propagateTags: PropagatedTagSource.SERVICE,
    ...(targets === undefined ? {} : { healthCheckGracePeriod: STARTING }),
  })
  if (targets !== undefined) {
    targets.addTarget(running.loadBalancerTarget({ containerName: 'akashi', containerPort: 4180 }))
  }
  if (maxTasks === minTasks) return running
  const scaling = running.autoScaleTaskCount({ minCapacity: minTasks, maxCapacity: maxTasks })
  scaling.scaleOnCpuUtilization('Cpu', {
    policyName: 'cpu',
    targetUtilizationPercent: TARGET_CPU_PERCENT,
    ...COOLDOWN,
  })
  if (targets !== undefined) {
    const target = scaling.node.findChild('Target').node.defaultChild as CfnScalableTarget
    scaleByConnections(running, target, targets)
  }
  return running
}

/** Connections of the load balancer ÷ tasks, which the CDK's own helpers cannot say. */
function scaleByConnections(
  running: FargateService,
  target: CfnScalableTarget,
  targets: ApplicationTargetGroup,
): void {
  const ofBalancer = { name: 'LoadBalancer', value: targets.firstLoadBalancerFullName }
  const metric = (
    id: string,
    metricName: string,
    stat: string,
    dimensions: readonly { readonly name: string; readonly value: string }[],
  ) => ({
    id,
    returnData: false,
    metricStat: {
      stat,
      metric: { namespace: 'AWS/ApplicationELB', metricName, dimensions: [...dimensions] },
    },
  })
  new CfnScalingPolicy(running, 'Connections', {
    policyName: 'connections',
    policyType: 'TargetTrackingScaling',
    scalingTargetId: target.ref,
    targetTrackingScalingPolicyConfiguration: {
      targetValue: CONNECTIONS_PER_TASK,
      scaleOutCooldown: COOLDOWN.scaleOutCooldown.toSeconds(),
      scaleInCooldown: COOLDOWN.scaleInCooldown.toSeconds(),
      customizedMetricSpecification: {
        metrics: [
          metric('connections', 'ActiveConnectionCount', 'Sum', [ofBalancer]),
          metric('tasks', 'HealthyHostCount', 'Minimum', [
            ofBalancer,
            { name: 'TargetGroup', value: targets.targetGroupFullName },
          ]),
          { id: 'each', expression: 'connections / tasks', returnData: true },
        ],
      },
    },
  })
}
