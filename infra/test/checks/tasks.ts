/** The tasks that serve and work, their keyring and their cache. */
import { type ExactCheck, exactly } from './exactly.ts'
import { CACHE, PASSWORD, TOKEN, taskDefinition } from './task-definition.ts'
import { subnets } from './task-settings.ts'

export const taskChecks: readonly ExactCheck[] = [
  exactly(
    'tasks: their log is encrypted and kept for a month',
    'AWS::Logs::LogGroup',
    'Log',
    { KmsKeyId: '<Data: Keys/Logs.Arn>', LogGroupName: '/<name>/tasks', RetentionInDays: 30 },
    { kept: true },
  ),
  exactly(
    'tasks: the password of the server is a secret of 32 characters under the secrets key',
    'AWS::SecretsManager::Secret',
    'ServerPassword',
    {
      GenerateSecretString: {
        ExcludeCharacters: '"@/\\\'',
        GenerateStringKey: 'password',
        IncludeSpace: false,
        PasswordLength: 32,
        SecretStringTemplate: '{"username":"akashi_server"}',
      },
      KmsKeyId: '<Data: Keys/Secrets.Arn>',
    },
    { kept: true },
  ),
  exactly('keyring: nothing leaves it', 'AWS::EC2::SecurityGroup', 'Keyring/SecurityGroup', {
    GroupDescription: 'Keyring: NFS from the tasks, nothing out',
    SecurityGroupEgress: [
      {
        CidrIp: '255.255.255.255/32',
        Description: 'Disallow all traffic',
        FromPort: 252,
        IpProtocol: 'icmp',
        ToPort: 86,
      },
    ],
    VpcId: '<Data: Network/Vpc>',
  }),
  exactly(
    'keyring: only the tasks reach it',
    'AWS::EC2::SecurityGroupIngress',
    'Keyring/SecurityGroup/from Tasks:2049',
    {
      FromPort: 2049,
      GroupId: '<Keyring/SecurityGroup.GroupId>',
      IpProtocol: 'tcp',
      SourceSecurityGroupId: '<Tasks.GroupId>',
      ToPort: 2049,
    },
  ),
  exactly(
    'keyring: encrypted under the person keyring key, mounted by the tasks alone, over TLS',
    'AWS::EFS::FileSystem',
    'Keyring/FileSystem',
    {
      Encrypted: true,
      FileSystemPolicy: {
        Statement: [
          {
            Action: ['elasticfilesystem:ClientMount', 'elasticfilesystem:ClientWrite'],
            Condition: {
              ArnEquals: {
                'aws:PrincipalArn': [
                  'arn:aws:iam::<account>:role/<name>-install',
                  'arn:aws:iam::<account>:role/<name>-serve',
                  'arn:aws:iam::<account>:role/<name>-work',
                ],
              },
              Bool: { 'aws:SecureTransport': 'true', 'elasticfilesystem:AccessedViaMountTarget': 'true' },
            },
            Effect: 'Allow',
            Principal: { AWS: '*' },
            Sid: 'Tasks',
          },
        ],
        Version: '2012-10-17',
      },
      KmsKeyId: '<Data: Keys/PersonKeyring.Arn>',
      PerformanceMode: 'generalPurpose',
      ThroughputMode: 'elastic',
    },
    { kept: true },
  ),
  exactly(
    'keyring: has an address in data subnet 1',
    'AWS::EFS::MountTarget',
    'Keyring/FileSystem/EfsMountTarget-DataSubnet1',
    {
      FileSystemId: '<Keyring/FileSystem>',
      SecurityGroups: ['<Keyring/SecurityGroup.GroupId>'],
      SubnetId: '<Data: Network/Vpc/DataSubnet1/Subnet>',
    },
  ),
  exactly(
    'keyring: has an address in data subnet 2',
    'AWS::EFS::MountTarget',
    'Keyring/FileSystem/EfsMountTarget-DataSubnet2',
    {
      FileSystemId: '<Keyring/FileSystem>',
      SecurityGroups: ['<Keyring/SecurityGroup.GroupId>'],
      SubnetId: '<Data: Network/Vpc/DataSubnet2/Subnet>',
    },
  ),
  exactly(
    'keyring: has an address in data subnet 3',
    'AWS::EFS::MountTarget',
    'Keyring/FileSystem/EfsMountTarget-DataSubnet3',
    {
      FileSystemId: '<Keyring/FileSystem>',
      SecurityGroups: ['<Keyring/SecurityGroup.GroupId>'],
      SubnetId: '<Data: Network/Vpc/DataSubnet3/Subnet>',
    },
    { when: (parameter) => parameter.network.availabilityZones.length >= 3 },
  ),
  exactly(
    'keyring: every task has the same folder, as the user of the image',
    'AWS::EFS::AccessPoint',
    'Keyring/FileSystem/AccessPoint',
    {
      FileSystemId: '<Keyring/FileSystem>',
      PosixUser: { Gid: '10001', Uid: '10001' },
      RootDirectory: {
        CreationInfo: { OwnerGid: '10001', OwnerUid: '10001', Permissions: '0700' },
        Path: '/akashi',
      },
    },
  ),
  exactly('keyring: backed up with the database', 'AWS::Backup::BackupSelection', 'Keyring/Backup', {
    BackupPlanId: '<Data: Backup/Plan.BackupPlanId>',
    BackupSelection: {
      IamRoleArn: '<Data: Backup/Role.Arn>',
      Resources: ['<Keyring/FileSystem.Arn>'],
      SelectionName: 'keyring',
    },
  }),
  exactly('cache: nothing leaves it', 'AWS::EC2::SecurityGroup', 'Cache/SecurityGroup', {
    GroupDescription: 'Valkey: from the tasks, nothing out',
    SecurityGroupEgress: [
      {
        CidrIp: '255.255.255.255/32',
        Description: 'Disallow all traffic',
        FromPort: 252,
        IpProtocol: 'icmp',
        ToPort: 86,
      },
    ],
    VpcId: '<Data: Network/Vpc>',
  }),
  exactly(
    'cache: only the tasks reach it',
    'AWS::EC2::SecurityGroupIngress',
    'Cache/SecurityGroup/from Tasks:6380',
    {
      FromPort: 6380,
      GroupId: '<Cache/SecurityGroup.GroupId>',
      IpProtocol: 'tcp',
      SourceSecurityGroupId: '<Tasks.GroupId>',
      ToPort: 6380,
    },
  ),
  exactly(
    'cache: its token is a secret of 64 characters under the secrets key',
    'AWS::SecretsManager::Secret',
    'Cache/Token',
    {
      GenerateSecretString: { ExcludePunctuation: true, IncludeSpace: false, PasswordLength: 64 },
      KmsKeyId: '<Data: Keys/Secrets.Arn>',
    },
  ),
  exactly('cache: in the data subnets', 'AWS::ElastiCache::SubnetGroup', 'Cache/Subnets', (parameter) => ({
    CacheSubnetGroupName: '<name>',
    SubnetIds: subnets(parameter, 'Data'),
  })),
  exactly(
    'cache: Valkey with TLS, a token, encryption at rest and a second node in another zone',
    'AWS::ElastiCache::ReplicationGroup',
    'Cache/Cluster',
    {
      AtRestEncryptionEnabled: true,
      AuthToken: '{{resolve:secretsmanager:<Cache/Token>:SecretString:::}}',
      AutoMinorVersionUpgrade: true,
      AutomaticFailoverEnabled: true,
      CacheNodeType: 'cache.t4g.micro',
      CacheSubnetGroupName: '<name>',
      Engine: 'valkey',
      EngineVersion: '8.0',
      KmsKeyId: '<Data: Keys/Database.Arn>',
      MultiAZEnabled: true,
      NumCacheClusters: 2,
      Port: 6380,
      PreferredMaintenanceWindow: 'sat:19:00-sat:20:00',
      ReplicationGroupDescription: 'Notifications between the servers',
      ReplicationGroupId: '<name>',
      SecurityGroupIds: ['<Cache/SecurityGroup.GroupId>'],
      SnapshotRetentionLimit: 15,
      SnapshotWindow: '02:00-03:00',
      TransitEncryptionEnabled: true,
      TransitEncryptionMode: 'required',
    },
  ),
  exactly('tasks: HTTPS is all that leaves them to addresses', 'AWS::EC2::SecurityGroup', 'Tasks', {
    GroupDescription: 'Tasks: to the database, Valkey, the keyring and AWS',
    SecurityGroupEgress: [
      { CidrIp: '0.0.0.0/0', Description: 'AWS', FromPort: 443, IpProtocol: 'tcp', ToPort: 443 },
    ],
    VpcId: '<Data: Network/Vpc>',
  }),
  exactly(
    'tasks: reach the database',
    'AWS::EC2::SecurityGroupEgress',
    'Tasks/to DatabaseSecurityGroup:5432',
    {
      DestinationSecurityGroupId: '<Data: Network/DatabaseSecurityGroup.GroupId>',
      FromPort: 5432,
      GroupId: '<Tasks.GroupId>',
      IpProtocol: 'tcp',
      ToPort: 5432,
    },
  ),
  exactly('tasks: reach the keyring', 'AWS::EC2::SecurityGroupEgress', 'Tasks/to KeyringSecurityGroup:2049', {
    DestinationSecurityGroupId: '<Keyring/SecurityGroup.GroupId>',
    FromPort: 2049,
    GroupId: '<Tasks.GroupId>',
    IpProtocol: 'tcp',
    ToPort: 2049,
  }),
  exactly('tasks: reach the cache', 'AWS::EC2::SecurityGroupEgress', 'Tasks/to CacheSecurityGroup:6380', {
    DestinationSecurityGroupId: '<Cache/SecurityGroup.GroupId>',
    FromPort: 6380,
    GroupId: '<Tasks.GroupId>',
    IpProtocol: 'tcp',
    ToPort: 6380,
  }),
  exactly(
    'tasks: take HTTP from the load balancer alone',
    'AWS::EC2::SecurityGroupIngress',
    'Tasks/from LoadBalancerSecurityGroup:4180',
    {
      FromPort: 4180,
      GroupId: '<Tasks.GroupId>',
      IpProtocol: 'tcp',
      SourceSecurityGroupId: '<LoadBalancer/SecurityGroup.GroupId>',
      ToPort: 4180,
    },
  ),
  exactly(
    'tasks: the database admits them',
    'AWS::EC2::SecurityGroupIngress',
    'DatabaseSecurityGroup/from Tasks:5432',
    {
      FromPort: 5432,
      GroupId: '<Data: Network/DatabaseSecurityGroup.GroupId>',
      IpProtocol: 'tcp',
      SourceSecurityGroupId: '<Tasks.GroupId>',
      ToPort: 5432,
    },
  ),
  exactly(
    'tasks: the endpoints of AWS services admit them',
    'AWS::EC2::SecurityGroupIngress',
    'EndpointsSecurityGroup/from Tasks:443',
    {
      FromPort: 443,
      GroupId: '<Data: Network/Endpoints/SecurityGroup.GroupId>',
      IpProtocol: 'tcp',
      SourceSecurityGroupId: '<Tasks.GroupId>',
      ToPort: 443,
    },
    { when: ({ network }) => !('vpcId' in network) },
  ),
  exactly(
    'tasks: what Container Insights logs is encrypted and kept for a month',
    'AWS::Logs::LogGroup',
    'InsightsLog',
    {
      KmsKeyId: '<Data: Keys/Logs.Arn>',
      LogGroupName: '/aws/ecs/containerinsights/<name>/performance',
      RetentionInDays: 30,
    },
    { kept: true },
  ),
  exactly('tasks: their cluster is watched by Container Insights', 'AWS::ECS::Cluster', 'Cluster', {
    ClusterName: '<name>',
    ClusterSettings: [{ Name: 'containerInsights', Value: 'enhanced' }],
  }),
  exactly(
    'tasks: serve is not root, has no privileges, writes its volumes alone, and knows the database by its certificate',
    'AWS::ECS::TaskDefinition',
    'Serve',
    (parameter) =>
      taskDefinition(
        {
          command: 'serve',
          cpu: '1024',
          memory: '2048',
          environment: [
            ...CACHE,
            { Name: 'AKASHI_PUBLIC_URL', Value: `https://${parameter.service.hostName}` },
            { Name: 'AKASHI_TRUSTED_PROXIES', Value: parameter.network.cidr },
            {
              Name: 'OIDC_ISSUERS',
              Value: [{ name: 'cognito', issuer: '<SignIn/Users.ProviderURL>', clientId: '<SignIn/Client>' }],
            },
          ],
          secrets: [PASSWORD, TOKEN],
          metrics: true,
        },
        parameter,
      ),
  ),
  exactly(
    'tasks: serve runs in the compute subnets without public addresses; a failing deployment is taken back',
    'AWS::ECS::Service',
    'ServeService/Service',
    (parameter) => ({
      Cluster: '<Cluster>',
      DeploymentConfiguration: {
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        MaximumPercent: 200,
        MinimumHealthyPercent: 100,
      },
      DesiredCount: parameter.service.minTasks,
      EnableECSManagedTags: false,
      EnableExecuteCommand: false,
      HealthCheckGracePeriodSeconds: 120,
      LaunchType: 'FARGATE',
      LoadBalancers: [
        { ContainerName: 'akashi', ContainerPort: 4180, TargetGroupArn: '<LoadBalancer/Targets>' },
      ],
      NetworkConfiguration: {
        AwsvpcConfiguration: {
          AssignPublicIp: 'DISABLED',
          SecurityGroups: ['<Tasks.GroupId>'],
          Subnets: subnets(parameter, 'Compute'),
        },
      },
      PlatformVersion: '1.4.0',
      PropagateTags: 'SERVICE',
      ServiceName: '<name>-serve',
      TaskDefinition: '<Serve>',
    }),
  ),
  exactly(
    'tasks: serve scales between the numbers asked for',
    'AWS::ApplicationAutoScaling::ScalableTarget',
    'ServeService/TaskCount/Target',
    (parameter) => ({
      MaxCapacity: parameter.service.maxTasks,
      MinCapacity: parameter.service.minTasks,
      ResourceId: 'service/<Cluster>/<ServeService/Service.Name>',
      RoleARN:
        'arn:aws:iam::<account>:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService',
      ScalableDimension: 'ecs:service:DesiredCount',
      ServiceNamespace: 'ecs',
    }),
    { when: ({ service }) => service.maxTasks > service.minTasks },
  ),
  exactly(
    'tasks: serve scales by CPU',
    'AWS::ApplicationAutoScaling::ScalingPolicy',
    'ServeService/TaskCount/Target/Cpu',
    {
      PolicyName: 'cpu',
      PolicyType: 'TargetTrackingScaling',
      ScalingTargetId: '<ServeService/TaskCount/Target>',
      TargetTrackingScalingPolicyConfiguration: {
        PredefinedMetricSpecification: { PredefinedMetricType: 'ECSServiceAverageCPUUtilization' },
        ScaleInCooldown: 600,
        ScaleOutCooldown: 60,
        TargetValue: 60,
      },
    },
    { when: ({ service }) => service.maxTasks > service.minTasks },
  ),
  exactly(
    'tasks: serve scales by connections',
    'AWS::ApplicationAutoScaling::ScalingPolicy',
    'ServeService/Connections',
    {
      PolicyName: 'connections',
      PolicyType: 'TargetTrackingScaling',
      ScalingTargetId: '<ServeService/TaskCount/Target>',
      TargetTrackingScalingPolicyConfiguration: {
        CustomizedMetricSpecification: {
          Metrics: [
            {
              Id: 'connections',
              MetricStat: {
                Metric: {
                  Dimensions: [
                    {
                      Name: 'LoadBalancer',
                      Value:
                        '{"Fn::Select":[1,{"Fn::Split":["/","<LoadBalancer/Balancer/Https>"]}]}/{"Fn::Select":[2,{"Fn::Split":["/","<LoadBalancer/Balancer/Https>"]}]}/{"Fn::Select":[3,{"Fn::Split":["/","<LoadBalancer/Balancer/Https>"]}]}',
                    },
                  ],
                  MetricName: 'ActiveConnectionCount',
                  Namespace: 'AWS/ApplicationELB',
                },
                Stat: 'Sum',
              },
              ReturnData: false,
            },
            {
              Id: 'tasks',
              MetricStat: {
                Metric: {
                  Dimensions: [
                    {
                      Name: 'LoadBalancer',
                      Value:
                        '{"Fn::Select":[1,{"Fn::Split":["/","<LoadBalancer/Balancer/Https>"]}]}/{"Fn::Select":[2,{"Fn::Split":["/","<LoadBalancer/Balancer/Https>"]}]}/{"Fn::Select":[3,{"Fn::Split":["/","<LoadBalancer/Balancer/Https>"]}]}',
                    },
                    { Name: 'TargetGroup', Value: '<LoadBalancer/Targets.TargetGroupFullName>' },
                  ],
                  MetricName: 'HealthyHostCount',
                  Namespace: 'AWS/ApplicationELB',
                },
                Stat: 'Minimum',
              },
              ReturnData: false,
            },
            { Expression: 'connections / tasks', Id: 'each', ReturnData: true },
          ],
        },
        ScaleInCooldown: 600,
        ScaleOutCooldown: 60,
        TargetValue: 1000,
      },
    },
    { when: ({ service }) => service.maxTasks > service.minTasks },
  ),
  exactly(
    'tasks: work is not root, has no privileges, writes its volumes alone, and knows the database by its certificate',
    'AWS::ECS::TaskDefinition',
    'Work',
    (parameter) =>
      taskDefinition(
        { command: 'work', cpu: '1024', memory: '4096', environment: CACHE, secrets: [PASSWORD, TOKEN] },
        parameter,
      ),
  ),
  exactly(
    'tasks: work runs in the compute subnets without public addresses; a failing deployment is taken back',
    'AWS::ECS::Service',
    'WorkService/Service',
    (parameter) => ({
      Cluster: '<Cluster>',
      DeploymentConfiguration: {
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        MaximumPercent: 200,
        MinimumHealthyPercent: 100,
      },
      DesiredCount: parameter.service.workers,
      EnableECSManagedTags: false,
      EnableExecuteCommand: false,
      LaunchType: 'FARGATE',
      LoadBalancers: [],
      NetworkConfiguration: {
        AwsvpcConfiguration: {
          AssignPublicIp: 'DISABLED',
          SecurityGroups: ['<Tasks.GroupId>'],
          Subnets: subnets(parameter, 'Compute'),
        },
      },
      PlatformVersion: '1.4.0',
      PropagateTags: 'SERVICE',
      ServiceName: '<name>-work',
      TaskDefinition: '<Work>',
    }),
  ),
]
