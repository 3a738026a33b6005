import { PredefinedMetric, ScalableTarget, ServiceNamespace } from 'aws-cdk-lib/aws-applicationautoscaling'
import { Role } from 'aws-cdk-lib/aws-iam'
import type { DatabaseCluster } from 'aws-cdk-lib/aws-rds'
import { Duration, Stack } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'

const TARGET_CPU_PERCENT = 60
/** A new reader takes minutes to serve; one that is not needed any more costs little. */
const COOLDOWN = { scaleOut: Duration.minutes(5), scaleIn: Duration.minutes(15) }

/** Aurora Auto Scaling: adds readers while the readers are busy. */
export function scaleReaders(
  scope: Construct,
  cluster: DatabaseCluster,
  { readers, maxReaders }: { readers: number; maxReaders: number },
): void {
  const { account, partition } = Stack.of(scope)
  const target = new ScalableTarget(scope, 'Readers', {
    serviceNamespace: ServiceNamespace.RDS,
    scalableDimension: 'rds:cluster:ReadReplicaCount',
    resourceId: `cluster:${cluster.clusterIdentifier}`,
    minCapacity: readers,
    maxCapacity: maxReaders,
    role: Role.fromRoleArn(
      scope,
      'ScalingRole',
      `arn:${partition}:iam::${account}:role/aws-service-role/rds.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_RDSCluster`,
    ),
  })
  target.node.addDependency(cluster)
  target.scaleToTrackMetric('Cpu', {
    predefinedMetric: PredefinedMetric.RDS_READER_AVERAGE_CPU_UTILIZATION,
    targetValue: TARGET_CPU_PERCENT,
    scaleOutCooldown: COOLDOWN.scaleOut,
    scaleInCooldown: COOLDOWN.scaleIn,
  })
}
