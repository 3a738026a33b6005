import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { AlarmTopic } from '../construct/alarm-topic.ts'
import { Alarms, metric } from '../construct/alarms.ts'
import { budget } from '../construct/budget.ts'
import { dashboard } from '../construct/dashboard.ts'
import { databaseAlarms } from '../construct/database-alarms.ts'
import type { LoadBalancer } from '../construct/load-balancer.ts'
import { Notices } from '../construct/notices.ts'
import { serverAlarms } from '../construct/server-alarms.ts'
import { taskAlarms } from '../construct/task-alarms.ts'
import { environmentName } from '../names.ts'
import type { EnvironmentParameter } from '../parameter.ts'

export interface MonitoringStackProps extends StackProps {
  readonly parameter: EnvironmentParameter
  /** Whether the database has logical replication. */
  readonly crossCheck: boolean
  readonly balancer: LoadBalancer
}

/** Who is told of what: alarms, notices, a budget, and one page of graphs. */
export class MonitoringStack extends Stack {
  constructor(scope: Construct, id: string, props: MonitoringStackProps) {
    super(scope, id, props)
    const { parameter, crossCheck, balancer } = props
    const { project, monitoring } = parameter
    const name = environmentName(parameter)
    const { topic } = new AlarmTopic(this, 'Topic', { project, name, emails: monitoring.emails })
    const alarms = new Alarms(this, 'Alarms', { name, topic })
    const loadBalancer = balancer.balancer.loadBalancerFullName
    databaseAlarms(alarms, { name, parameter: parameter.database, crossCheck })
    serverAlarms(alarms, name)
    taskAlarms(alarms, {
      name,
      parameter: parameter.service,
      loadBalancer,
      targetGroup: balancer.targets.targetGroupFullName,
    })
    new Notices(this, 'Notices', { name, topic })
    budget(this, 'Budget', { name, amount: monitoring.budget, topicArn: topic.topicArn })
    const ofBalancer = (metricName: string, statistic: string) =>
      metric('AWS/ApplicationELB', metricName, { LoadBalancer: loadBalancer }, { statistic })
    dashboard(this, 'Dashboard', {
      name,
      alarms,
      requests: [
        ofBalancer('RequestCount', Stats.SUM),
        ofBalancer('HTTPCode_Target_5XX_Count', Stats.SUM),
        ofBalancer('TargetResponseTime', 'p99'),
      ],
    })
    new CfnOutput(this, 'AlarmTopicArn', {
      description: 'Topic of alarms, notices and the budget',
      value: topic.topicArn,
    })
    new CfnOutput(this, 'DashboardUrl', {
      description: 'The page of graphs',
      value: `https://${this.region}.console.aws.amazon.com/cloudwatch/home?region=${this.region}#dashboards:name=${name}`,
    })
  }
}
