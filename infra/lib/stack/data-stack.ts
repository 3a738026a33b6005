import type { DatabaseCluster } from 'aws-cdk-lib/aws-rds'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { AccessLogs } from '../construct/access-logs.ts'
import { Backup } from '../construct/backup.ts'
import { Database } from '../construct/database.ts'
import { Keys } from '../construct/keys.ts'
import { Network } from '../construct/network.ts'
import { environmentName } from '../names.ts'
import type { EnvironmentParameter } from '../parameter.ts'
import { securitySettings } from '../security-settings.ts'

export interface DataStackProps extends StackProps {
  readonly parameter: EnvironmentParameter
}

/** Network, keys, database and backups of one environment. */
export class DataStack extends Stack {
  readonly keys: Keys
  readonly network: Network
  readonly database: Database
  readonly accessLogs: AccessLogs
  readonly backup: Backup
  private readonly parameter: EnvironmentParameter

  constructor(scope: Construct, id: string, props: DataStackProps) {
    super(scope, id, props)
    const { parameter } = props
    const { project, backup } = parameter
    const name = environmentName(parameter)
    this.parameter = parameter
    this.keys = new Keys(this, 'Keys', {
      project,
      name,
      reports: backup.audit,
      copyAccount: backup.copyAccount,
    })
    this.network = new Network(this, 'Network', {
      name,
      network: parameter.network,
      logsKey: this.keys.logs,
      organizationId: parameter.organizationId,
      tracing: parameter.service.tracing !== undefined,
    })
    this.database = new Database(this, 'Database', {
      project,
      name,
      parameter: parameter.database,
      retentionDays: backup.retentionDays,
      network: this.network,
      keys: this.keys,
    })
    this.accessLogs = new AccessLogs(this, 'AccessLogs', { spare: true })
    this.backup = new Backup(this, 'Backup', {
      project,
      name,
      parameter: backup,
      database: this.database,
      network: this.network,
      keys: this.keys,
      accessLogs: this.accessLogs.bucket,
    })
    this.addOutputs()
  }

  get cluster(): DatabaseCluster {
    return this.database.cluster
  }

  get secret(): ISecret {
    return this.database.secret
  }

  /** Those of the parameter: the CDK would ask the account. */
  override get availabilityZones(): string[] {
    return [...this.parameter.network.availabilityZones]
  }

  /** What those who build on the database need. */
  private addOutputs(): void {
    const output = (id: string, description: string, value: string) =>
      new CfnOutput(this, id, { description, value })
    output('DatabaseEndpoint', 'Host and port of the writer', this.cluster.clusterEndpoint.socketAddress)
    output(
      'DatabaseReadEndpoint',
      'Host and port of the readers',
      this.cluster.clusterReadEndpoint.socketAddress,
    )
    output('DatabaseSecretArn', 'Secret of the administrator', this.secret.secretArn)
    output(
      'SecuritySettings',
      'How the database is protected',
      this.toJsonString(securitySettings(this.database)),
    )
    output('SnapshotStateMachineArn', 'Takes a backup now', this.backup.snapshot.stateMachine.stateMachineArn)
  }
}
