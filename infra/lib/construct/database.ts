import type { Rule } from 'aws-cdk-lib/aws-events'
import {
  CaCertificate,
  CfnDBInstance,
  CfnGlobalCluster,
  ClusterInstance,
  Credentials,
  DatabaseCluster,
  DatabaseClusterEngine,
  DatabaseInsightsMode,
  PerformanceInsightRetention,
} from 'aws-cdk-lib/aws-rds'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { DatabaseParameter } from '../parameter.ts'
import { recordEvents } from './database-events.ts'
import { parameterGroup } from './database-parameters.ts'
import { administratorSecret, rotateSecret } from './database-secret.ts'
import type { Keys } from './keys.ts'
import { logGroup } from './log-group.ts'
import type { Network } from './network.ts'
import { scaleReaders } from './reader-scaling.ts'
import { serviceRole } from './service-role.ts'

const PORT = 5432
/** UTC. */
const BACKUP_WINDOW = '03:00-04:00'
/** UTC; Sunday 03:00 in Japan. */
const MAINTENANCE_WINDOW = 'Sat:18:00-Sat:19:00'
const ENHANCED_MONITORING = Duration.minutes(1)
const IDLE_BEFORE_PAUSE = Duration.minutes(30)
const LOGS = ['postgresql', 'iam-db-auth-error']

export interface DatabaseProps {
  readonly project: string
  /** Identifier of the cluster. A fixed name keeps CloudFormation from replacing a cluster by an empty one. */
  readonly name: string
  readonly parameter: DatabaseParameter
  /** Point-in-time recovery goes back this far. */
  readonly retentionDays: number
  readonly network: Network
  readonly keys: Keys
}

/** Aurora PostgreSQL Serverless v2 with its secret, logs, parameters and events. */
export class Database extends Construct {
  readonly cluster: DatabaseCluster
  readonly secret: ISecret
  /** What RDS reports; takes further targets. */
  readonly events: Rule
  /** Whether the server offers logical replication, which the cross-check reads. */
  readonly crossCheck: boolean

  constructor(scope: Construct, id: string, props: DatabaseProps) {
    super(scope, id)
    const { parameter, network, keys, name } = props
    const engine = DatabaseClusterEngine.auroraPostgres({ version: parameter.engineVersion })
    // A replication slot keeps the database from pausing.
    this.crossCheck = parameter.minCapacity > 0
    const secret = administratorSecret(this, { project: props.project, key: keys.secrets })
    const insights = {
      enablePerformanceInsights: true,
      performanceInsightRetention:
        parameter.insights === 'advanced'
          ? PerformanceInsightRetention.MONTHS_15
          : PerformanceInsightRetention.DEFAULT,
      performanceInsightEncryptionKey: keys.database,
    }
    const instance = {
      ...insights,
      publiclyAccessible: false,
      autoMinorVersionUpgrade: true,
      preferredMaintenanceWindow: MAINTENANCE_WINDOW,
      caCertificate: CaCertificate.RDS_CA_RSA2048_G1,
    }
    const logGroups = LOGS.map((log) =>
      logGroup(this, `Log-${log}`, { name: `/aws/rds/cluster/${name}/${log}`, key: keys.logs }),
    )

    this.cluster = new DatabaseCluster(this, 'Cluster', {
      clusterIdentifier: name,
      engine,
      parameterGroup: parameterGroup(this, engine, this.crossCheck),
      credentials: Credentials.fromSecret(secret),
      defaultDatabaseName: 'akashi',
      port: PORT,
      writer: ClusterInstance.serverlessV2('Writer', instance),
      readers: Array.from({ length: parameter.readers }, (_, index) =>
        // The first takes over when the writer fails, so it is as large.
        ClusterInstance.serverlessV2(`Reader${index + 1}`, { ...instance, scaleWithWriter: index === 0 }),
      ),
      serverlessV2MinCapacity: parameter.minCapacity,
      serverlessV2MaxCapacity: parameter.maxCapacity,
      ...(this.crossCheck ? {} : { serverlessV2AutoPauseDuration: IDLE_BEFORE_PAUSE }),
      vpc: network.vpc,
      vpcSubnets: network.dataSubnets,
      securityGroups: [network.databaseSecurityGroup],
      storageEncrypted: true,
      storageEncryptionKey: keys.database,
      iamAuthentication: true,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.SNAPSHOT,
      deleteAutomatedBackups: false,
      copyTagsToSnapshot: true,
      backup: { retention: Duration.days(props.retentionDays), preferredWindow: BACKUP_WINDOW },
      preferredMaintenanceWindow: MAINTENANCE_WINDOW,
      autoMinorVersionUpgrade: true,
      monitoringInterval: ENHANCED_MONITORING,
      monitoringRole: this.monitoringRole(),
      cloudwatchLogsExports: LOGS,
      ...insights,
      databaseInsightsMode:
        parameter.insights === 'advanced' ? DatabaseInsightsMode.ADVANCED : DatabaseInsightsMode.STANDARD,
    })
    // Otherwise RDS would create them itself, without a key and for ever.
    this.cluster.node.addDependency(...logGroups)
    for (const child of this.cluster.node.findAll()) {
      if (!(child instanceof CfnDBInstance)) continue
      acknowledge(child, {
        'NIST.800.53.R5-RDSInBackupPlan':
          'AWS Backup protects an Aurora cluster, not its instances; the plan selects the cluster.',
      })
    }
    this.secret = this.cluster.secret ?? secret
    rotateSecret(this, this.secret, this.cluster, { network, name, logsKey: keys.logs })
    this.events = recordEvents(this, { name, key: keys.logs })
    if (parameter.maxReaders > parameter.readers) scaleReaders(this, this.cluster, parameter)
    if ((parameter.globalRegions ?? []).length > 0) this.prepareGlobalDatabase(name)
  }

  private monitoringRole() {
    return serviceRole(this, 'MonitoringRole', {
      service: 'monitoring.rds',
      description: 'Enhanced monitoring of Aurora',
      awsPolicy: {
        name: 'AmazonRDSEnhancedMonitoringRole',
        reason: 'The policy that RDS documents for this purpose; it reaches the log groups RDS* only.',
      },
    })
  }

  /** The cluster becomes the primary of a Global Database, to which clusters in other regions can be added. */
  private prepareGlobalDatabase(name: string): void {
    new CfnGlobalCluster(this, 'Global', {
      globalClusterIdentifier: name,
      sourceDbClusterIdentifier: this.cluster.clusterArn,
      deletionProtection: true,
    })
  }
}
