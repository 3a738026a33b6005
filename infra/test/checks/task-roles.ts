/** What each task may do. */
import { type ExactCheck, exactly } from './exactly.ts'
import { isTraced, tracedBy, workPolicy } from './task-settings.ts'

export const taskRoleChecks: readonly ExactCheck[] = [
  exactly('roles: ECS starts tasks by a role of this account', 'AWS::IAM::Role', 'Roles/Execution', {
    AssumeRolePolicyDocument: {
      Statement: [
        {
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'aws:SourceAccount': '<account>' } },
          Effect: 'Allow',
          Principal: { Service: 'ecs-tasks.amazonaws.com' },
        },
      ],
      Version: '2012-10-17',
    },
  }),
  exactly(
    'roles: ECS fetches the image and the secrets of the tasks, and writes their log',
    'AWS::IAM::ManagedPolicy',
    'Roles/Execution/Policy',
    (parameter) => ({
      Path: '/',
      PolicyDocument: {
        Statement: [
          {
            Action: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
            Effect: 'Allow',
            Resource: isTraced(parameter)
              ? ['<Images: Collector.Arn>', '<Images: Repository.Arn>']
              : '<Images: Repository.Arn>',
          },
          { Action: 'ecr:GetAuthorizationToken', Effect: 'Allow', Resource: '*' },
          { Action: ['logs:CreateLogStream', 'logs:PutLogEvents'], Effect: 'Allow', Resource: '<Log.Arn>' },
          {
            Action: 'secretsmanager:GetSecretValue',
            Effect: 'Allow',
            Resource: ['<Data: Database/Secret/Attachment>', '<Cache/Token>', '<ServerPassword>'],
          },
          {
            Action: 'kms:Decrypt',
            Condition: { StringEquals: { 'kms:ViaService': 'secretsmanager.<region>.amazonaws.com' } },
            Effect: 'Allow',
            Resource: '<Data: Keys/Secrets.Arn>',
          },
        ],
        Version: '2012-10-17',
      },
      Roles: ['<Roles/Execution>'],
    }),
  ),
  exactly('roles: the installation has a role of its own', 'AWS::IAM::Role', 'Roles/Install', {
    AssumeRolePolicyDocument: {
      Statement: [
        {
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'aws:SourceAccount': '<account>' } },
          Effect: 'Allow',
          Principal: { Service: 'ecs-tasks.amazonaws.com' },
        },
      ],
      Version: '2012-10-17',
    },
    RoleName: '<name>-install',
  }),
  exactly(
    'roles: the installation uses the person keyring key and nothing else',
    'AWS::IAM::ManagedPolicy',
    'Roles/Install/Policy',
    {
      Path: '/',
      PolicyDocument: {
        Statement: [
          {
            Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
            Effect: 'Allow',
            Resource: '<Data: Keys/PersonKeyring.Arn>',
          },
        ],
        Version: '2012-10-17',
      },
      Roles: ['<Roles/Install>'],
    },
  ),
  exactly('roles: serve has a role of its own', 'AWS::IAM::Role', 'Roles/Serve', {
    AssumeRolePolicyDocument: {
      Statement: [
        {
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'aws:SourceAccount': '<account>' } },
          Effect: 'Allow',
          Principal: { Service: 'ecs-tasks.amazonaws.com' },
        },
      ],
      Version: '2012-10-17',
    },
    RoleName: '<name>-serve',
  }),
  exactly(
    'roles: serve uses the keyring key and the object store, and sends traces where there are any',
    'AWS::IAM::ManagedPolicy',
    'Roles/Serve/Policy',
    (parameter) => ({
      Path: '/',
      PolicyDocument: {
        Statement: [
          {
            Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
            Effect: 'Allow',
            Resource: ['<Data: Keys/Archive.Arn>', '<Data: Keys/PersonKeyring.Arn>'],
          },
          { Action: 's3:ListBucket', Effect: 'Allow', Resource: 'arn:aws:s3:::<name>-archive-<account>' },
          {
            Action: [
              's3:AbortMultipartUpload',
              's3:DeleteObject',
              's3:GetObject',
              's3:PutObject',
              's3:PutObjectRetention',
              's3:RestoreObject',
            ],
            Effect: 'Allow',
            Resource: 'arn:aws:s3:::<name>-archive-<account>/*',
          },
          ...tracedBy(parameter),
        ],
        Version: '2012-10-17',
      },
      Roles: ['<Roles/Serve>'],
    }),
  ),
  exactly('roles: work has a role of its own', 'AWS::IAM::Role', 'Roles/Work', {
    AssumeRolePolicyDocument: {
      Statement: [
        {
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'aws:SourceAccount': '<account>' } },
          Effect: 'Allow',
          Principal: { Service: 'ecs-tasks.amazonaws.com' },
        },
      ],
      Version: '2012-10-17',
    },
    RoleName: '<name>-work',
  }),
  exactly(
    'roles: work uses the keyring key, the object store and the witness bucket, and sends findings and traces',
    'AWS::IAM::ManagedPolicy',
    'Roles/Work/Policy',
    (parameter) => workPolicy(parameter),
  ),
]
