import { Match, Rule } from 'aws-cdk-lib/aws-events'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { logGroup } from './log-group.ts'

const DETAIL_TYPES = [
  'RDS DB Cluster Event',
  'RDS DB Instance Event',
  'RDS DB Cluster Snapshot Event',
  'RDS DB Parameter Group Event',
]

export interface DatabaseEventsProps {
  /** Of the environment. */
  readonly name: string
  readonly key: IKey
}

/**
 * Keeps what RDS reports (failover, failure, maintenance, changed configuration, low storage, backup) in a log
 * group: RDS itself forgets after 14 days. An alarm is one more target of the rule.
 */
export function recordEvents(scope: Construct, { name, key }: DatabaseEventsProps): Rule {
  // EventBridge writes to log groups below this prefix.
  const group = logGroup(scope, 'EventLog', { name: `/aws/events/${name}/rds`, key })
  const granted = group.addToResourcePolicy(
    new PolicyStatement({
      principals: [
        new ServicePrincipal('events.amazonaws.com'),
        new ServicePrincipal('delivery.logs.amazonaws.com'),
      ],
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [group.logGroupArn],
    }),
  )
  const rule = new Rule(scope, 'Events', {
    description: `Events of RDS in ${name}`,
    eventPattern: {
      source: ['aws.rds'],
      detailType: DETAIL_TYPES,
      // Cluster, instances, parameter group and snapshots all have the name of the environment in theirs.
      detail: { SourceIdentifier: Match.wildcard(`*${name}*`) },
    },
  })
  // The target that the CDK has would add a function to write the resource policy above.
  rule.addTarget({ bind: () => ({ arn: group.logGroupArn }) })
  if (granted.policyDependable !== undefined) rule.node.addDependency(granted.policyDependable)
  return rule
}
