/** The task that installs Akashi, and what starts it. */
import { type ExactCheck, exactly } from './exactly.ts'
import { PASSWORD, taskDefinition } from './task-definition.ts'
import { subnets } from './task-settings.ts'

export const installerChecks: readonly ExactCheck[] = [
  exactly(
    'initializer: the task that installs: not root, no privileges, a root that nobody writes, the secrets of administrator and server',
    'AWS::ECS::TaskDefinition',
    'Install',
    (parameter) =>
      taskDefinition(
        {
          command: 'install',
          cpu: '512',
          memory: '1024',
          secrets: [
            PASSWORD,
            { Name: 'ADMINISTRATOR_LOGIN', ValueFrom: '<Data: Database/Secret/Attachment>:username::' },
            { Name: 'ADMINISTRATOR_PASSWORD', ValueFrom: '<Data: Database/Secret/Attachment>:password::' },
          ],
        },
        parameter,
      ),
  ),
  exactly(
    'initializer: its log is encrypted and kept for a month',
    'AWS::Logs::LogGroup',
    'Initializer/Log',
    {
      KmsKeyId: '<Data: Keys/Logs.Arn>',
      LogGroupName: '/aws/vendedlogs/states/<name>-install',
      RetentionInDays: 30,
    },
    { kept: true },
  ),
  exactly('initializer: its state machine has a role of its own', 'AWS::IAM::Role', 'Initializer/Role', {
    AssumeRolePolicyDocument: {
      Statement: [
        {
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'aws:SourceAccount': '<account>' } },
          Effect: 'Allow',
          Principal: { Service: 'states.amazonaws.com' },
        },
      ],
      Version: '2012-10-17',
    },
  }),
  exactly(
    'initializer: may take a backup and run its task',
    'AWS::IAM::ManagedPolicy',
    'Initializer/Role/Policy',
    {
      Path: '/',
      PolicyDocument: {
        Statement: [
          {
            Action: 'ecs:RunTask',
            Condition: { ArnEquals: { 'ecs:cluster': '<Cluster.Arn>' } },
            Effect: 'Allow',
            Resource: '<Install>',
          },
          {
            Action: ['ecs:DescribeTasks', 'ecs:StopTask'],
            Effect: 'Allow',
            Resource: 'arn:aws:ecs:<region>:<account>:task/<name>/*',
          },
          {
            Action: 'iam:PassRole',
            Condition: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
            Effect: 'Allow',
            Resource: ['<Roles/Execution.Arn>', '<Roles/Install.Arn>'],
          },
          {
            Action: 'states:StartExecution',
            Effect: 'Allow',
            Resource: '<Data: Backup/Snapshot/StateMachine>',
          },
          {
            Action: ['states:DescribeExecution', 'states:StopExecution'],
            Effect: 'Allow',
            Resource: 'arn:aws:states:<region>:<account>:execution:<name>-snapshot:*',
          },
          {
            Action: ['events:DescribeRule', 'events:PutRule', 'events:PutTargets'],
            Effect: 'Allow',
            Resource: [
              'arn:aws:events:<region>:<account>:rule/StepFunctionsGetEventsForECSTaskRule',
              'arn:aws:events:<region>:<account>:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule',
            ],
          },
          {
            Action: [
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
            Effect: 'Allow',
            Resource: '*',
          },
        ],
        Version: '2012-10-17',
      },
      Roles: ['<Initializer/Role>'],
    },
  ),
  exactly(
    'initializer: a backup before a change, then the task, again if it fails, half an hour at most',
    'AWS::StepFunctions::StateMachine',
    'Initializer/StateMachine',
    (parameter) => ({
      DefinitionString: {
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
            Parameters: {
              StateMachineArn: '<Data: Backup/Snapshot/StateMachine>',
              'Name.$': '$$.Execution.Name',
            },
            ResultPath: null,
            Next: 'Install',
          },
          Install: {
            Type: 'Task',
            Resource: 'arn:aws:states:::ecs:runTask.sync',
            TimeoutSeconds: 1800,
            Parameters: {
              Cluster: '<Cluster.Arn>',
              TaskDefinition: '<Install>',
              LaunchType: 'FARGATE',
              PlatformVersion: '1.4.0',
              NetworkConfiguration: {
                AwsvpcConfiguration: {
                  AssignPublicIp: 'DISABLED',
                  SecurityGroups: ['<Tasks.GroupId>'],
                  Subnets: subnets(parameter, 'Compute'),
                },
              },
            },
            Retry: [
              {
                ErrorEquals: ['States.TaskFailed', 'ECS.AmazonECSException'],
                IntervalSeconds: 30,
                MaxAttempts: 2,
                BackoffRate: 2,
              },
            ],
            End: true,
          },
        },
      },
      LoggingConfiguration: {
        Destinations: [{ CloudWatchLogsLogGroup: { LogGroupArn: '<Initializer/Log.Arn>' } }],
        IncludeExecutionData: true,
        Level: 'ALL',
      },
      RoleArn: '<Initializer/Role.Arn>',
      StateMachineName: '<name>-install',
      TracingConfiguration: { Enabled: true },
    }),
  ),
  exactly(
    'initializer: the log of its functions is encrypted and kept for a month',
    'AWS::Logs::LogGroup',
    'Initializer/HandlerLog',
    { KmsKeyId: '<Data: Keys/Logs.Arn>', LogGroupName: '/<name>/install-handler', RetentionInDays: 30 },
    { kept: true },
  ),
  exactly(
    'initializer: its functions have a role of their own',
    'AWS::IAM::Role',
    'Initializer/HandlerRole',
    {
      AssumeRolePolicyDocument: {
        Statement: [
          {
            Action: 'sts:AssumeRole',
            Condition: { StringEquals: { 'aws:SourceAccount': '<account>' } },
            Effect: 'Allow',
            Principal: { Service: 'lambda.amazonaws.com' },
          },
        ],
        Version: '2012-10-17',
      },
    },
  ),
  exactly(
    'initializer: its functions may start it and ask how it ended',
    'AWS::IAM::ManagedPolicy',
    'Initializer/HandlerRole/Policy',
    {
      Path: '/',
      PolicyDocument: {
        Statement: [
          { Action: 'states:StartExecution', Effect: 'Allow', Resource: '<Initializer/StateMachine>' },
          {
            Action: 'states:DescribeExecution',
            Effect: 'Allow',
            Resource: 'arn:aws:states:<region>:<account>:execution:<name>-install:*',
          },
          { Action: 'cloudformation:DescribeStacks', Effect: 'Allow', Resource: '<AWS::StackId>' },
          {
            Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
            Effect: 'Allow',
            Resource: '<Initializer/HandlerLog.Arn>',
          },
        ],
        Version: '2012-10-17',
      },
      Roles: ['<Initializer/HandlerRole>'],
    },
  ),
  exactly('initializer: the function that starts it', 'AWS::Lambda::Function', 'Initializer/onEvent', {
    Environment: { Variables: { STATE_MACHINE_ARN: '<Initializer/StateMachine>' } },
    Handler: 'index.onEvent',
    LoggingConfig: { LogGroup: '<Initializer/HandlerLog>' },
    Role: '<Initializer/HandlerRole.Arn>',
    Runtime: 'nodejs24.x',
    Timeout: 60,
  }),
  exactly(
    'initializer: the function that asks how it ended',
    'AWS::Lambda::Function',
    'Initializer/isComplete',
    {
      Environment: { Variables: { STATE_MACHINE_ARN: '<Initializer/StateMachine>' } },
      Handler: 'index.isComplete',
      LoggingConfig: { LogGroup: '<Initializer/HandlerLog>' },
      Role: '<Initializer/HandlerRole.Arn>',
      Runtime: 'nodejs24.x',
      Timeout: 60,
    },
  ),
  exactly(
    'initializer: the framework that starts has a role of its own',
    'AWS::IAM::Role',
    'Initializer/Provider/framework-onEvent/ServiceRole',
    {
      AssumeRolePolicyDocument: {
        Statement: [
          { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } },
        ],
        Version: '2012-10-17',
      },
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'],
    },
  ),
  exactly(
    'initializer: the framework that starts has the rights of its calls',
    'AWS::IAM::Policy',
    'Initializer/Provider/framework-onEvent/ServiceRole/DefaultPolicy',
    {
      PolicyDocument: {
        Statement: [
          {
            Action: 'lambda:InvokeFunction',
            Effect: 'Allow',
            Resource: [
              '<Initializer/isComplete.Arn>',
              '<Initializer/onEvent.Arn>',
              '<Initializer/isComplete.Arn>:*',
              '<Initializer/onEvent.Arn>:*',
            ],
          },
          {
            Action: 'lambda:GetFunction',
            Effect: 'Allow',
            Resource: ['<Initializer/isComplete.Arn>', '<Initializer/onEvent.Arn>'],
          },
          {
            Action: 'states:StartExecution',
            Effect: 'Allow',
            Resource: '<Initializer/Provider/waiter-state-machine>',
          },
        ],
        Version: '2012-10-17',
      },
      PolicyName: 'InitializerProviderframeworkonEventServiceRoleDefaultPolicy404D16D8',
      Roles: ['<Initializer/Provider/framework-onEvent/ServiceRole>'],
    },
  ),
  exactly(
    'initializer: the framework that starts calls our functions alone',
    'AWS::Lambda::Function',
    'Initializer/Provider/framework-onEvent',
    {
      Environment: {
        Variables: {
          USER_ON_EVENT_FUNCTION_ARN: '<Initializer/onEvent.Arn>',
          USER_IS_COMPLETE_FUNCTION_ARN: '<Initializer/isComplete.Arn>',
          WAITER_STATE_MACHINE_ARN: '<Initializer/Provider/waiter-state-machine>',
        },
      },
      Handler: 'framework.onEvent',
      LoggingConfig: {
        ApplicationLogLevel: 'FATAL',
        LogFormat: 'JSON',
        LogGroup: '<Initializer/HandlerLog>',
      },
      Role: '<Initializer/Provider/framework-onEvent/ServiceRole.Arn>',
      Runtime: 'nodejs24.x',
      Timeout: 900,
    },
  ),
  exactly(
    'initializer: the framework that waits has a role of its own',
    'AWS::IAM::Role',
    'Initializer/Provider/framework-isComplete/ServiceRole',
    {
      AssumeRolePolicyDocument: {
        Statement: [
          { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } },
        ],
        Version: '2012-10-17',
      },
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'],
    },
  ),
  exactly(
    'initializer: the framework that waits has the rights of its calls',
    'AWS::IAM::Policy',
    'Initializer/Provider/framework-isComplete/ServiceRole/DefaultPolicy',
    {
      PolicyDocument: {
        Statement: [
          {
            Action: 'lambda:InvokeFunction',
            Effect: 'Allow',
            Resource: [
              '<Initializer/isComplete.Arn>',
              '<Initializer/onEvent.Arn>',
              '<Initializer/isComplete.Arn>:*',
              '<Initializer/onEvent.Arn>:*',
            ],
          },
          {
            Action: 'lambda:GetFunction',
            Effect: 'Allow',
            Resource: ['<Initializer/isComplete.Arn>', '<Initializer/onEvent.Arn>'],
          },
        ],
        Version: '2012-10-17',
      },
      PolicyName: 'InitializerProviderframeworkisCompleteServiceRoleDefaultPolicyAB8A3979',
      Roles: ['<Initializer/Provider/framework-isComplete/ServiceRole>'],
    },
  ),
  exactly(
    'initializer: the framework that waits calls our functions alone',
    'AWS::Lambda::Function',
    'Initializer/Provider/framework-isComplete',
    {
      Environment: {
        Variables: {
          USER_ON_EVENT_FUNCTION_ARN: '<Initializer/onEvent.Arn>',
          USER_IS_COMPLETE_FUNCTION_ARN: '<Initializer/isComplete.Arn>',
        },
      },
      Handler: 'framework.isComplete',
      LoggingConfig: {
        ApplicationLogLevel: 'FATAL',
        LogFormat: 'JSON',
        LogGroup: '<Initializer/HandlerLog>',
      },
      Role: '<Initializer/Provider/framework-isComplete/ServiceRole.Arn>',
      Runtime: 'nodejs24.x',
      Timeout: 900,
    },
  ),
  exactly(
    'initializer: the framework that gives up has a role of its own',
    'AWS::IAM::Role',
    'Initializer/Provider/framework-onTimeout/ServiceRole',
    {
      AssumeRolePolicyDocument: {
        Statement: [
          { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } },
        ],
        Version: '2012-10-17',
      },
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'],
    },
  ),
  exactly(
    'initializer: the framework that gives up has the rights of its calls',
    'AWS::IAM::Policy',
    'Initializer/Provider/framework-onTimeout/ServiceRole/DefaultPolicy',
    {
      PolicyDocument: {
        Statement: [
          {
            Action: 'lambda:InvokeFunction',
            Effect: 'Allow',
            Resource: [
              '<Initializer/isComplete.Arn>',
              '<Initializer/onEvent.Arn>',
              '<Initializer/isComplete.Arn>:*',
              '<Initializer/onEvent.Arn>:*',
            ],
          },
          {
            Action: 'lambda:GetFunction',
            Effect: 'Allow',
            Resource: ['<Initializer/isComplete.Arn>', '<Initializer/onEvent.Arn>'],
          },
        ],
        Version: '2012-10-17',
      },
      PolicyName: 'InitializerProviderframeworkonTimeoutServiceRoleDefaultPolicyEDBECA03',
      Roles: ['<Initializer/Provider/framework-onTimeout/ServiceRole>'],
    },
  ),
  exactly(
    'initializer: the framework that gives up calls our functions alone',
    'AWS::Lambda::Function',
    'Initializer/Provider/framework-onTimeout',
    {
      Environment: {
        Variables: {
          USER_ON_EVENT_FUNCTION_ARN: '<Initializer/onEvent.Arn>',
          USER_IS_COMPLETE_FUNCTION_ARN: '<Initializer/isComplete.Arn>',
        },
      },
      Handler: 'framework.onTimeout',
      LoggingConfig: {
        ApplicationLogLevel: 'FATAL',
        LogFormat: 'JSON',
        LogGroup: '<Initializer/HandlerLog>',
      },
      Role: '<Initializer/Provider/framework-onTimeout/ServiceRole.Arn>',
      Runtime: 'nodejs24.x',
      Timeout: 900,
    },
  ),
  exactly(
    'initializer: the waiting state machine has a role of its own',
    'AWS::IAM::Role',
    'Initializer/Provider/waiter-state-machine/Role',
    {
      AssumeRolePolicyDocument: {
        Statement: [
          { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'states.amazonaws.com' } },
        ],
        Version: '2012-10-17',
      },
    },
  ),
  exactly(
    'initializer: the waiting state machine has the rights of its calls',
    'AWS::IAM::Policy',
    'Initializer/Provider/waiter-state-machine/Role/DefaultPolicy',
    {
      PolicyDocument: {
        Statement: [
          {
            Action: 'lambda:InvokeFunction',
            Effect: 'Allow',
            Resource: [
              '<Initializer/Provider/framework-isComplete.Arn>',
              '<Initializer/Provider/framework-onTimeout.Arn>',
              '<Initializer/Provider/framework-isComplete.Arn>:*',
              '<Initializer/Provider/framework-onTimeout.Arn>:*',
            ],
          },
        ],
        Version: '2012-10-17',
      },
      PolicyName: 'InitializerProviderwaiterstatemachineRoleDefaultPolicy840659AB',
      Roles: ['<Initializer/Provider/waiter-state-machine/Role>'],
    },
  ),
  exactly(
    'initializer: the waiting state machine calls our functions alone',
    'AWS::StepFunctions::StateMachine',
    'Initializer/Provider/waiter-state-machine',
    {
      DefinitionString: {
        StartAt: 'framework-isComplete-task',
        States: {
          'framework-isComplete-task': {
            End: true,
            Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 30, MaxAttempts: 240, BackoffRate: 1 }],
            Catch: [{ ErrorEquals: ['States.ALL'], Next: 'framework-onTimeout-task' }],
            Type: 'Task',
            Resource: '<Initializer/Provider/framework-isComplete.Arn>',
          },
          'framework-onTimeout-task': {
            End: true,
            Type: 'Task',
            Resource: '<Initializer/Provider/framework-onTimeout.Arn>',
          },
        },
      },
      RoleArn: '<Initializer/Provider/waiter-state-machine/Role.Arn>',
    },
  ),
  exactly(
    'initializer: runs when the image or the task changes',
    'Custom::AkashiInstallation',
    'Initializer/Resource/Default',
    (parameter) => ({
      ServiceToken: '<Initializer/Provider/framework-onEvent.Arn>',
      TaskDefinition: '<Install>',
      Version: parameter.service.imageTag,
    }),
  ),
]
