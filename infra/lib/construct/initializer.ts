import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import type { Cluster, FargateTaskDefinition } from 'aws-cdk-lib/aws-ecs'
import { Policy, PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { type CfnFunction, Code, Function as LambdaFunction, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import { DefinitionBody, LogLevel, StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { CustomResource, Duration, Stack } from 'aws-cdk-lib/core'
import { Provider } from 'aws-cdk-lib/custom-resources'
import { Construct, type IConstruct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import { logGroup } from './log-group.ts'
import { serviceRole } from './service-role.ts'

const HANDLER = new URL('../handler', import.meta.url).pathname
/** A migration waits for no lock for long; a run that takes this long is stuck, in seconds. */
const RUN_TIMEOUT_SECONDS = 1_800
/** A snapshot of a large database takes hours; CloudFormation waits for two at most. */
const TOTAL_TIMEOUT = Duration.hours(2)
const POLL = Duration.seconds(30)
const ATTEMPTS = 2
const PAUSE_SECONDS = 30

export interface InitializerProps {
  readonly name: string
  readonly cluster: Cluster
  readonly definition: FargateTaskDefinition
  /** Of the task: its own, and that of ECS which starts it. */
  readonly roles: readonly [Role, Role]
  readonly vpc: IVpc
  readonly subnets: SubnetSelection
  readonly securityGroup: ISecurityGroup
  readonly snapshotArn: string
  readonly logsKey: IKey
  readonly version: string
}

/**
 * Installs Akashi when the stack is created or changed: takes a backup if there is something to lose, then runs the
 * task. A failure fails the deployment, which CloudFormation takes back; deleting the stack runs nothing.
 */
export class Initializer extends Construct {
  readonly resource: CustomResource
  readonly stateMachine: StateMachine

  constructor(scope: Construct, id: string, props: InitializerProps) {
    super(scope, id)
    const { name, logsKey } = props
    this.stateMachine = new StateMachine(this, 'StateMachine', {
      stateMachineName: `${name}-install`,
      definitionBody: DefinitionBody.fromString(Stack.of(this).toJsonString(definition(props))),
      timeout: TOTAL_TIMEOUT,
      tracingEnabled: true,
      logs: {
        destination: logGroup(this, 'Log', { name: `/aws/vendedlogs/states/${name}-install`, key: logsKey }),
        level: LogLevel.ALL,
        includeExecutionData: true,
      },
      role: this.machineRole(props).withoutPolicyUpdates(),
    })
    const log = logGroup(this, 'HandlerLog', { name: `/${name}/install-handler`, key: logsKey })
    const role = serviceRole(this, 'HandlerRole', {
      service: 'lambda',
      description: 'Starts the installation and asks how it ended',
      statements: [
        new PolicyStatement({
          actions: ['states:StartExecution'],
          resources: [this.stateMachine.stateMachineArn],
        }),
        new PolicyStatement({
          actions: ['states:DescribeExecution'],
          resources: [executionsOf(this, `${name}-install`)],
        }),
        new PolicyStatement({
          actions: ['cloudformation:DescribeStacks'],
          resources: [Stack.of(this).stackId],
        }),
        new PolicyStatement({
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          resources: [log.logGroupArn],
        }),
      ],
      wildcards: {
        [executionsOf(this, `${name}-install`)]: 'Executions are named by the requests of CloudFormation.',
      },
    })
    const handler = (event: 'onEvent' | 'isComplete') =>
      new LambdaFunction(this, event, {
        runtime: Runtime.NODEJS_24_X,
        handler: `index.${event}`,
        code: Code.fromAsset(HANDLER),
        environment: { STATE_MACHINE_ARN: this.stateMachine.stateMachineArn },
        timeout: Duration.minutes(1),
        logGroup: log,
        tracing: Tracing.DISABLED,
        role: role.withoutPolicyUpdates(),
      })
    const provider = new Provider(this, 'Provider', {
      onEventHandler: handler('onEvent'),
      isCompleteHandler: handler('isComplete'),
      queryInterval: POLL,
      totalTimeout: TOTAL_TIMEOUT,
      logGroup: log,
      disableWaiterStateMachineLogging: true,
    })
    this.resource = new CustomResource(this, 'Resource', {
      serviceToken: provider.serviceToken,
      resourceType: 'Custom::AkashiInstallation',
      properties: { TaskDefinition: props.definition.taskDefinitionArn, Version: props.version },
    })
    acknowledgeFramework(this, provider)
  }

  private machineRole({ definition, roles, snapshotArn, name, cluster }: InitializerProps): Role {
    const { partition, region, account } = Stack.of(this)
    const here = `${partition}:events:${region}:${account}`
    const tasks = `arn:${partition}:ecs:${region}:${account}:task/${name}/*`
    return serviceRole(this, 'Role', {
      service: 'states',
      description: 'Takes a backup and runs the task that installs',
      statements: [
        new PolicyStatement({
          actions: ['ecs:RunTask'],
          resources: [definition.taskDefinitionArn],
          conditions: { ArnEquals: { 'ecs:cluster': cluster.clusterArn } },
        }),
        new PolicyStatement({
          actions: ['ecs:DescribeTasks', 'ecs:StopTask'],
          resources: [tasks],
        }),
        new PolicyStatement({
          actions: ['iam:PassRole'],
          resources: roles.map(({ roleArn }) => roleArn),
          conditions: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
        }),
        new PolicyStatement({ actions: ['states:StartExecution'], resources: [snapshotArn] }),
        new PolicyStatement({
          actions: ['states:DescribeExecution', 'states:StopExecution'],
          resources: [executionsOf(this, `${name}-snapshot`)],
        }),
        new PolicyStatement({
          actions: ['events:DescribeRule', 'events:PutRule', 'events:PutTargets'],
          resources: ['ECSTask', 'StepFunctionsExecution'].map(
            (kind) => `arn:${here}:rule/StepFunctionsGetEventsFor${kind}Rule`,
          ),
        }),
        new PolicyStatement({
          actions: [
            'logs:CreateLogDelivery',
            'logs:DeleteLogDelivery',
            'logs:DescribeLogGroups',
            'logs:DescribeResourcePolicies',
            'logs:GetLogDelivery',
            'logs:ListLogDeliveries',
            'logs:PutResourcePolicy',
            'logs:UpdateLogDelivery',
            'xray:GetSamplingRules',
            'xray:GetSamplingTargets',
            'xray:PutTelemetryRecords',
            'xray:PutTraceSegments',
          ],
          resources: ['*'],
        }),
      ],
      anyResource: 'Log deliveries and traces have no resource that a policy could name.',
      wildcards: {
        [tasks]: 'Tasks of the one cluster, whose numbers ECS makes.',
        [executionsOf(this, `${name}-snapshot`)]: 'Executions of the one state machine.',
      },
    })
  }
}

function executionsOf(scope: Construct, machine: string): string {
  const { partition, region, account } = Stack.of(scope)
  return `arn:${partition}:states:${region}:${account}:execution:${machine}:*`
}

/** In the language of Step Functions. */
function definition(props: InitializerProps): unknown {
  const { subnetIds } = props.vpc.selectSubnets(props.subnets)
  return {
    StartAt: 'Something to lose?',
    States: {
      'Something to lose?': {
        Type: 'Choice',
        Choices: [{ Variable: '$.snapshot', BooleanEquals: true, Next: 'Snapshot' }],
        Default: 'Install',
      },
      Snapshot: {
        Type: 'Task',
        Resource: 'arn:aws:states:::states:startExecution.sync:2',
        Parameters: { StateMachineArn: props.snapshotArn, 'Name.$': '$$.Execution.Name' },
        ResultPath: null,
        Next: 'Install',
      },
      Install: {
        Type: 'Task',
        Resource: 'arn:aws:states:::ecs:runTask.sync',
        TimeoutSeconds: RUN_TIMEOUT_SECONDS,
        Parameters: {
          Cluster: props.cluster.clusterArn,
          TaskDefinition: props.definition.taskDefinitionArn,
          LaunchType: 'FARGATE',
          PlatformVersion: '1.4.0',
          NetworkConfiguration: {
            AwsvpcConfiguration: {
              AssignPublicIp: 'DISABLED',
              SecurityGroups: [props.securityGroup.securityGroupId],
              Subnets: subnetIds,
            },
          },
        },
        // Installing again completes what was begun.
        Retry: [
          {
            ErrorEquals: ['States.TaskFailed', 'ECS.AmazonECSException'],
            IntervalSeconds: PAUSE_SECONDS,
            MaxAttempts: ATTEMPTS,
            BackoffRate: 2,
          },
        ],
        End: true,
      },
    },
  }
}

const ASKS_ONLY = 'It asks how the installation is going, whose own state machine is logged and traced.'
const FUNCTION = {
  'NIST.800.53.R5-LambdaConcurrency': 'CloudFormation calls it once a deployment.',
  'NIST.800.53.R5-LambdaDLQ': 'CloudFormation learns of each failure by the answer, or by its absence.',
  'NIST.800.53.R5-LambdaInsideVPC': 'It calls the APIs of AWS alone and reaches nothing in the network.',
}

const WRITTEN_BY_CDK = "The CDK's provider of custom resources writes it, for its own functions alone."

/** Findings on functions, and on the roles and the state machine that the CDK makes around them. */
function acknowledgeFramework(scope: Initializer, provider: Provider): void {
  const functions = scope.node.findAll().filter((child) => child instanceof LambdaFunction)
  for (const one of functions) acknowledge(one, FUNCTION)
  const versionsOf = (some: readonly IConstruct[]) =>
    some.map((one) => {
      const id = Stack.of(scope).getLogicalId(one.node.defaultChild as CfnFunction)
      return `AwsSolutions-IAM5[Resource::<${id}.Arn>:*]`
    })
  const handlers = versionsOf(functions.filter((one) => one.node.scope === scope))
  const asked = versionsOf(
    functions.filter((one) => /isComplete$|onTimeout$/.test(one.node.id) && one.node.scope === provider),
  )
  for (const child of provider.node.findAll()) {
    if (child instanceof Policy) {
      const calls = child.node.path.includes('waiter-state-machine') ? asked : handlers
      acknowledge(child, {
        'NIST.800.53.R5-IAMNoInlinePolicy': WRITTEN_BY_CDK,
        ...Object.fromEntries(calls.map((finding) => [finding, WRITTEN_BY_CDK])),
      })
    }
    if (child.node.id === 'ServiceRole') {
      acknowledge(child, {
        'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]':
          WRITTEN_BY_CDK,
      })
    }
    if (child.node.id === 'waiter-state-machine') {
      acknowledge(child, { 'AwsSolutions-SF1': ASKS_ONLY, 'AwsSolutions-SF2': ASKS_ONLY })
    }
  }
}
