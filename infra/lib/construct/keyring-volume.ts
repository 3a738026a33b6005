import { CfnBackupSelection } from 'aws-cdk-lib/aws-backup'
import {
  type ISecurityGroup,
  type IVpc,
  Port,
  SecurityGroup,
  type SubnetSelection,
} from 'aws-cdk-lib/aws-ec2'
import type { Volume } from 'aws-cdk-lib/aws-ecs'
import {
  type AccessPoint,
  type CfnFileSystem,
  FileSystem,
  PerformanceMode,
  ThroughputMode,
} from 'aws-cdk-lib/aws-efs'
import { AnyPrincipal, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { RemovalPolicy } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'

/** User and group of the image. */
const OWNER = '10001'
const PATH = '/var/lib/akashi'

export interface KeyringVolumeProps {
  readonly vpc: IVpc
  readonly subnets: SubnetSelection
  readonly key: IKey
  readonly taskRoleArns: readonly string[]
  readonly backupPlanId: string
  readonly backupRoleArn: string
}

/**
 * The folder that all tasks share: the keyring, whose keys are wrapped by KMS and useless without it. Backed up with
 * the database, since neither can be read without the other.
 */
export class KeyringVolume extends Construct {
  readonly path = PATH
  readonly volume: Volume
  readonly accessPoint: AccessPoint
  readonly fileSystemArn: string
  private readonly securityGroup: SecurityGroup

  constructor(scope: Construct, id: string, props: KeyringVolumeProps) {
    super(scope, id)
    this.securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: props.vpc,
      description: 'Keyring: NFS from the tasks, nothing out',
      allowAllOutbound: false,
    })
    const fileSystem = new FileSystem(this, 'FileSystem', {
      vpc: props.vpc,
      vpcSubnets: props.subnets,
      securityGroup: this.securityGroup,
      encrypted: true,
      kmsKey: props.key,
      performanceMode: PerformanceMode.GENERAL_PURPOSE,
      throughputMode: ThroughputMode.ELASTIC,
      enableAutomaticBackups: false,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    })
    // In place of the one that the CDK begins with, which lets everybody in the network write as root.
    const settings = fileSystem.node.defaultChild as CfnFileSystem
    settings.fileSystemPolicy = this.tasksOnly(props.taskRoleArns)
    this.fileSystemArn = fileSystem.fileSystemArn
    this.accessPoint = fileSystem.addAccessPoint('AccessPoint', {
      path: '/akashi',
      createAcl: { ownerUid: OWNER, ownerGid: OWNER, permissions: '0700' },
      posixUser: { uid: OWNER, gid: OWNER },
    })
    this.volume = {
      name: 'keyring',
      efsVolumeConfiguration: {
        fileSystemId: fileSystem.fileSystemId,
        transitEncryption: 'ENABLED',
        authorizationConfig: { accessPointId: this.accessPoint.accessPointId, iam: 'ENABLED' },
      },
    }
    new CfnBackupSelection(this, 'Backup', {
      backupPlanId: props.backupPlanId,
      backupSelection: {
        selectionName: 'keyring',
        iamRoleArn: props.backupRoleArn,
        resources: [fileSystem.fileSystemArn],
      },
    })
  }

  private tasksOnly(taskRoleArns: readonly string[]): PolicyDocument {
    return new PolicyDocument({
      statements: [
        new PolicyStatement({
          sid: 'Tasks',
          principals: [new AnyPrincipal()],
          actions: ['elasticfilesystem:ClientMount', 'elasticfilesystem:ClientWrite'],
          conditions: {
            ArnEquals: { 'aws:PrincipalArn': [...taskRoleArns] },
            Bool: { 'aws:SecureTransport': 'true', 'elasticfilesystem:AccessedViaMountTarget': 'true' },
          },
        }),
      ],
    })
  }

  admit(tasks: ISecurityGroup): void {
    this.securityGroup.addIngressRule(tasks, Port.NFS, 'Keyring')
    tasks.addEgressRule(this.securityGroup, Port.NFS, 'Keyring')
  }
}
