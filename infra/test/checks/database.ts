import assert from 'node:assert/strict'
import { environmentName } from '../../lib/names.ts'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { type Json, pathOf, type Resource, type Template } from '../support/template.ts'
import { accountOf, type Check, withAccount } from './check.ts'

const MAINTENANCE = 'Sat:18:00-Sat:19:00'

function cluster(template: Template): Record<string, Json> {
  return template.only('AWS::RDS::DBCluster').Properties
}

function instances(template: Template): Resource[] {
  return template.ofType('AWS::RDS::DBInstance')
}

function setting(name: string, expected: Record<string, (parameter: EnvironmentParameter) => Json>): Check {
  return {
    name: `database: ${name}`,
    verify: (template, parameter) => {
      const properties = cluster(template)
      for (const [key, value] of Object.entries(expected))
        assert.deepEqual(properties[key], value(parameter), key)
    },
  }
}

function assertDatabaseKey(template: Template, value: Json): void {
  template.assertRefers(value, 'AWS::KMS::Key', 'Keys/Database', 'Arn')
}

const crossCheck = ({ database }: EnvironmentParameter): boolean => database.minCapacity > 0
const insightsDays = ({ database }: EnvironmentParameter): number =>
  database.insights === 'advanced' ? 465 : 7

const clusterChecks: readonly Check[] = [
  setting('Aurora PostgreSQL of the version in the parameter', {
    Engine: () => 'aurora-postgresql',
    EngineVersion: ({ database }) => database.engineVersion.auroraPostgresFullVersion,
  }),
  setting('port 5432 and a database of its own', { Port: () => 5432, DatabaseName: () => 'akashi' }),
  setting('a fixed name, so that it is never replaced by an empty one', {
    DBClusterIdentifier: environmentName,
  }),
  setting('Serverless v2 between the capacities in the parameter; pauses only where it may', {
    ServerlessV2ScalingConfiguration: ({ database: { minCapacity, maxCapacity } }) => ({
      MinCapacity: minCapacity,
      MaxCapacity: maxCapacity,
      ...(minCapacity === 0 ? { SecondsUntilAutoPause: 1_800 } : {}),
    }),
  }),
  setting('storage is encrypted', { StorageEncrypted: () => true }),
  setting('IAM authentication', { EnableIAMDatabaseAuthentication: () => true }),
  setting('protected from deletion', { DeletionProtection: () => true }),
  setting('automated backups as many days as asked for, at 03:00 UTC, kept after a deletion', {
    BackupRetentionPeriod: ({ backup }) => backup.retentionDays,
    PreferredBackupWindow: () => '03:00-04:00',
    DeleteAutomatedBackups: () => false,
  }),
  setting('tags go to its snapshots', { CopyTagsToSnapshot: () => true }),
  setting('minor versions and patches on Saturday 18:00 UTC', {
    AutoMinorVersionUpgrade: () => true,
    PreferredMaintenanceWindow: () => MAINTENANCE,
  }),
  setting('its log and failed IAM logins go to CloudWatch Logs', {
    EnableCloudwatchLogsExports: () => ['postgresql', 'iam-db-auth-error'],
  }),
  setting('Database Insights in the mode of the parameter', {
    DatabaseInsightsMode: ({ database }) => database.insights,
    PerformanceInsightsEnabled: () => true,
    PerformanceInsightsRetentionPeriod: insightsDays,
  }),
  {
    name: 'database: storage and Database Insights under the database key',
    verify: (template) => {
      assertDatabaseKey(template, cluster(template)['KmsKeyId'])
      assertDatabaseKey(template, cluster(template)['PerformanceInsightsKmsKeyId'])
    },
  },
  {
    name: 'database: a snapshot is taken when it is removed or replaced',
    verify: (template) => {
      const { DeletionPolicy, UpdateReplacePolicy } = template.only('AWS::RDS::DBCluster')
      assert.deepEqual([DeletionPolicy, UpdateReplacePolicy], ['Snapshot', 'Snapshot'])
    },
  },
  {
    name: 'database: in the data subnets of every zone',
    verify: (template, parameter) => {
      const group = template.referred(cluster(template)['DBSubnetGroupName'])
      assert.equal(group.Type, 'AWS::RDS::DBSubnetGroup')
      const subnets = group.Properties['SubnetIds'].map((subnet: Json) => pathOf(template.referred(subnet)))
      assert.equal(subnets.length, parameter.network.availabilityZones.length)
      assert.equal(new Set(subnets).size, subnets.length)
      for (const path of subnets) assert.match(path, /^Network\/Vpc\/DataSubnet\d\/Subnet$/)
    },
  },
  {
    name: 'database: behind its security group alone',
    verify: (template) => {
      const [group, ...more] = cluster(template)['VpcSecurityGroupIds']
      assert.equal(more.length, 0)
      template.assertRefers(group, 'AWS::EC2::SecurityGroup', 'Network/DatabaseSecurityGroup', 'GroupId')
    },
  },
  {
    name: 'database: credentials come from the secret',
    verify: (template) => {
      for (const [property, field] of [
        ['MasterUsername', 'username'],
        ['MasterUserPassword', 'password'],
      ] as const) {
        const [before, secret, after] = cluster(template)[property]['Fn::Join'][1]
        assert.equal(before, '{{resolve:secretsmanager:')
        template.assertRefers(secret, 'AWS::SecretsManager::Secret', 'Database/Secret')
        assert.equal(after, `:SecretString:${field}::}}`)
      }
    },
  },
  {
    name: 'database: after its log groups, which RDS would otherwise create without a key',
    verify: (template) => {
      const before = (template.only('AWS::RDS::DBCluster').DependsOn ?? []).map((Ref) =>
        pathOf(template.referred({ Ref })),
      )
      assert.deepEqual(before, ['Database/Log-iam-db-auth-error', 'Database/Log-postgresql'])
    },
  },
  {
    name: 'database: no other setting, and no Data API',
    verify: (template) => {
      assert.deepEqual(
        Object.keys(cluster(template)).toSorted(),
        [
          'AutoMinorVersionUpgrade BackupRetentionPeriod CopyTagsToSnapshot DBClusterIdentifier',
          'DBClusterParameterGroupName DBSubnetGroupName DatabaseInsightsMode DatabaseName DeleteAutomatedBackups',
          'DeletionProtection EnableCloudwatchLogsExports EnableIAMDatabaseAuthentication Engine EngineVersion',
          'KmsKeyId MasterUserPassword MasterUsername PerformanceInsightsEnabled PerformanceInsightsKmsKeyId',
          'PerformanceInsightsRetentionPeriod Port PreferredBackupWindow PreferredMaintenanceWindow',
          'ServerlessV2ScalingConfiguration StorageEncrypted Tags VpcSecurityGroupIds',
        ].flatMap((line) => line.split(' ')),
      )
    },
  },
]

const SERVER_SETTINGS: Readonly<Record<string, Record<string, string>>> = {
  'TLS 1.2 or newer is forced': { 'rds.force_ssl': '1', ssl_min_protocol_version: 'TLSv1.2' },
  'passwords are hashed by scram and no other way': {
    password_encryption: 'scram-sha-256',
    'rds.accepted_password_auth_method': 'scram',
  },
  'pgaudit and statistics of statements are loaded': {
    shared_preload_libraries: 'pg_stat_statements,pgaudit',
    'pgaudit.role': 'rds_pgaudit',
  },
  'DDL, roles and grants are logged, their passwords blanked': {
    'pgaudit.log': 'ddl,role',
    log_statement: 'none',
  },
  'statements of three seconds and waits for locks are logged': {
    log_min_duration_statement: '3000',
    log_lock_waits: '1',
  },
  'no value of a statement reaches the log': {
    log_parameter_max_length: '0',
    log_parameter_max_length_on_error: '0',
  },
  'connections are logged': { log_connections: '1', log_disconnections: '1' },
  'the time zone is UTC': { timezone: 'UTC' },
}

const parameterChecks: readonly Check[] = [
  {
    name: 'database: the cluster takes its parameter group, of its version',
    verify: (template, { database }) => {
      const group = template.referred(cluster(template)['DBClusterParameterGroupName'])
      assert.equal(group.Type, 'AWS::RDS::DBClusterParameterGroup')
      assert.equal(
        group.Properties['Family'],
        `aurora-postgresql${database.engineVersion.auroraPostgresMajorVersion}`,
      )
    },
  },
  ...Object.entries(SERVER_SETTINGS).map(
    ([name, settings]): Check => ({
      name: `database: ${name}`,
      verify: (template) => {
        const { Parameters } = template.only('AWS::RDS::DBClusterParameterGroup').Properties
        for (const [key, value] of Object.entries(settings)) assert.equal(Parameters[key], value, key)
      },
    }),
  ),
  {
    name: 'database: no other server setting',
    verify: (template) => {
      const { Parameters } = template.only('AWS::RDS::DBClusterParameterGroup').Properties
      const expected = Object.values(SERVER_SETTINGS).flatMap((settings) => Object.keys(settings))
      assert.deepEqual(
        Object.keys(Parameters).toSorted(),
        [...expected, 'rds.logical_replication'].toSorted(),
      )
    },
  },
  {
    name: 'database: logical replication for the cross-check, unless the database may pause',
    verify: (template, parameter) => {
      const { Parameters } = template.only('AWS::RDS::DBClusterParameterGroup').Properties
      assert.equal(Parameters['rds.logical_replication'], crossCheck(parameter) ? '1' : '0')
    },
  },
]

const instanceChecks: readonly Check[] = [
  {
    name: 'database: a writer and as many readers as asked for, all Serverless v2',
    verify: (template, { database }) => {
      assert.equal(instances(template).length, 1 + database.readers)
      for (const { Properties } of instances(template)) {
        template.assertRefers(Properties['DBClusterIdentifier'], 'AWS::RDS::DBCluster', '')
        assert.equal(Properties['DBInstanceClass'], 'db.serverless')
        assert.equal(Properties['Engine'], 'aurora-postgresql')
      }
    },
  },
  {
    name: 'database: the first reader scales with the writer, to take over',
    verify: (template) => {
      const tiers = instances(template).map(({ Properties }) => Properties['PromotionTier'])
      assert.deepEqual(tiers, [0, 1, 2, 2].slice(0, tiers.length))
    },
  },
  {
    name: 'database: no instance has a public address',
    verify: (template) => {
      for (const { Properties } of instances(template)) assert.equal(Properties['PubliclyAccessible'], false)
    },
  },
  {
    name: 'database: instances present a current certificate',
    verify: (template) => {
      for (const { Properties } of instances(template)) {
        assert.equal(Properties['CACertificateIdentifier'], 'rds-ca-rsa2048-g1')
      }
    },
  },
  {
    name: 'database: instances take minor versions in the maintenance window',
    verify: (template) => {
      for (const { Properties } of instances(template)) {
        assert.equal(Properties['AutoMinorVersionUpgrade'], true)
        assert.equal(Properties['PreferredMaintenanceWindow'], MAINTENANCE)
      }
    },
  },
  {
    name: 'database: enhanced monitoring each minute',
    verify: (template) => {
      for (const { Properties } of instances(template)) {
        assert.equal(Properties['MonitoringInterval'], 60)
        template.assertRefers(
          Properties['MonitoringRoleArn'],
          'AWS::IAM::Role',
          'Database/MonitoringRole',
          'Arn',
        )
      }
    },
  },
  {
    name: 'database: Database Insights of instances like that of the cluster',
    verify: (template, parameter) => {
      for (const { Properties } of instances(template)) {
        assert.equal(Properties['EnablePerformanceInsights'], true)
        assert.equal(Properties['PerformanceInsightsRetentionPeriod'], insightsDays(parameter))
        assertDatabaseKey(template, Properties['PerformanceInsightsKMSKeyId'])
      }
    },
  },
  {
    name: 'database: no other setting of an instance',
    verify: (template) => {
      for (const { Properties } of instances(template)) {
        assert.deepEqual(
          Object.keys(Properties).toSorted(),
          [
            'AutoMinorVersionUpgrade CACertificateIdentifier DBClusterIdentifier DBInstanceClass',
            'EnablePerformanceInsights Engine MonitoringInterval MonitoringRoleArn PerformanceInsightsKMSKeyId',
            'PerformanceInsightsRetentionPeriod PreferredMaintenanceWindow PromotionTier PubliclyAccessible Tags',
          ].flatMap((line) => line.split(' ')),
        )
      }
    },
  },
  {
    name: 'database: an instance goes with its cluster, which keeps the data',
    verify: (template) => {
      for (const { DeletionPolicy, UpdateReplacePolicy } of instances(template)) {
        assert.deepEqual([DeletionPolicy, UpdateReplacePolicy], ['Delete', 'Delete'])
      }
    },
  },
]

const scalingChecks: readonly Check[] = [
  {
    name: 'database: readers are added between the numbers of the parameter',
    verify: (template, parameter) => {
      const { readers, maxReaders } = parameter.database
      const targets = template.ofType('AWS::ApplicationAutoScaling::ScalableTarget')
      assert.equal(targets.length, maxReaders > readers ? 1 : 0)
      for (const { Properties } of targets) {
        const { ResourceId, Tags, ...settings } = Properties
        const [prefix, id] = ResourceId['Fn::Join'][1]
        assert.equal(prefix, 'cluster:')
        template.assertRefers(id, 'AWS::RDS::DBCluster', '')
        assert.deepEqual(settings, {
          MinCapacity: readers,
          MaxCapacity: maxReaders,
          ServiceNamespace: 'rds',
          ScalableDimension: 'rds:cluster:ReadReplicaCount',
          RoleARN: withAccount(
            parameter,
            'arn:aws:iam::',
            ':role/aws-service-role/rds.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_RDSCluster',
          ),
        })
      }
    },
  },
  {
    name: 'database: readers are added at 60 % CPU of the readers',
    verify: (template, { database }) => {
      const policies = template.ofType('AWS::ApplicationAutoScaling::ScalingPolicy')
      assert.equal(policies.length, database.maxReaders > database.readers ? 1 : 0)
      for (const { Properties } of policies) {
        assert.equal(Properties['PolicyType'], 'TargetTrackingScaling')
        template.assertRefers(
          Properties['ScalingTargetId'],
          'AWS::ApplicationAutoScaling::ScalableTarget',
          '',
        )
        assert.deepEqual(Properties['TargetTrackingScalingPolicyConfiguration'], {
          PredefinedMetricSpecification: { PredefinedMetricType: 'RDSReaderAverageCPUUtilization' },
          TargetValue: 60,
          ScaleInCooldown: 900,
          ScaleOutCooldown: 300,
        })
      }
    },
  },
  {
    name: 'database: a Global Database, protected from deletion, where regions are named',
    verify: (template, parameter) => {
      const globals = template.ofType('AWS::RDS::GlobalCluster')
      assert.equal(globals.length, (parameter.database.globalRegions ?? []).length > 0 ? 1 : 0)
      for (const { Properties } of globals) {
        assert.equal(Properties['GlobalClusterIdentifier'], environmentName(parameter))
        assert.equal(Properties['DeletionProtection'], true)
        const parts = Properties['SourceDBClusterIdentifier']['Fn::Join'][1]
        template.assertRefers(parts.at(-1), 'AWS::RDS::DBCluster', '')
        assert.ok(JSON.stringify(parts).includes(JSON.stringify(accountOf(parameter)).slice(1, -1)))
      }
    },
  },
]

export const databaseChecks: readonly Check[] = [
  ...clusterChecks,
  ...parameterChecks,
  ...instanceChecks,
  ...scalingChecks,
]
