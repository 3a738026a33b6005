import {
  type ISecurityGroup,
  type IVpc,
  Port,
  SecurityGroup,
  type SubnetSelection,
} from 'aws-cdk-lib/aws-ec2'
import { CfnReplicationGroup, CfnSubnetGroup } from 'aws-cdk-lib/aws-elasticache'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { RemovalPolicy } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'

const PORT = 6380
const NODE = 'cache.t4g.micro'
const NODES = 2
/** The longest that Valkey takes is 128. */
const TOKEN_LENGTH = 64
/** UTC, beside those of the database. */
const SNAPSHOT_WINDOW = '02:00-03:00'
const MAINTENANCE_WINDOW = 'sat:19:00-sat:20:00'
const SNAPSHOT_DAYS = 15

export interface CacheProps {
  readonly name: string
  readonly vpc: IVpc
  readonly subnets: SubnetSelection
  readonly key: IKey
  readonly secretsKey: IKey
}

/** Valkey, by which the servers tell each other what changed. It holds nothing that the database does not. */
export class Cache extends Construct {
  readonly token: ISecret
  readonly host: string
  readonly port = String(PORT)
  private readonly securityGroup: SecurityGroup

  constructor(scope: Construct, id: string, { name, vpc, subnets, key, secretsKey }: CacheProps) {
    super(scope, id)
    this.securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'Valkey: from the tasks, nothing out',
      allowAllOutbound: false,
    })
    this.token = new Secret(this, 'Token', {
      description: `Token of Valkey in ${name}`,
      encryptionKey: secretsKey,
      generateSecretString: { excludePunctuation: true, includeSpace: false, passwordLength: TOKEN_LENGTH },
      removalPolicy: RemovalPolicy.DESTROY,
    })
    acknowledge(this.token, {
      'AwsSolutions-SMG4': 'Tasks read it when they start; a new one needs them to be deployed again.',
      'NIST.800.53.R5-SecretsManagerRotationEnabled':
        'Tasks read it when they start; a new one needs them to be deployed again.',
    })
    const group = new CfnSubnetGroup(this, 'Subnets', {
      cacheSubnetGroupName: name,
      description: 'Data subnets',
      subnetIds: vpc.selectSubnets(subnets).subnetIds,
    })
    const cluster = new CfnReplicationGroup(this, 'Cluster', {
      replicationGroupId: name,
      replicationGroupDescription: 'Notifications between the servers',
      engine: 'valkey',
      engineVersion: '8.0',
      cacheNodeType: NODE,
      numCacheClusters: NODES,
      multiAzEnabled: true,
      automaticFailoverEnabled: true,
      autoMinorVersionUpgrade: true,
      port: PORT,
      cacheSubnetGroupName: group.cacheSubnetGroupName as string,
      securityGroupIds: [this.securityGroup.securityGroupId],
      atRestEncryptionEnabled: true,
      kmsKeyId: key.keyArn,
      transitEncryptionEnabled: true,
      transitEncryptionMode: 'required',
      authToken: this.token.secretValue.unsafeUnwrap(),
      snapshotRetentionLimit: SNAPSHOT_DAYS,
      snapshotWindow: SNAPSHOT_WINDOW,
      preferredMaintenanceWindow: MAINTENANCE_WINDOW,
    })
    cluster.addResourceDependency(group)
    this.host = cluster.attrPrimaryEndPointAddress
  }

  admit(tasks: ISecurityGroup): void {
    this.securityGroup.addIngressRule(tasks, Port.tcp(PORT), 'Valkey')
    tasks.addEgressRule(this.securityGroup, Port.tcp(PORT), 'Valkey')
  }
}
