import { type PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { TASKS } from '../names.ts'
import {
  keyPolicy,
  reportsRole,
  useByCloudWatchLogs,
  useByCopyAccount,
  useByRoles,
  useThroughServices,
} from './key-policy.ts'

/** KMS rotates the key material; what is already encrypted stays readable. */
const ROTATION = Duration.days(365)
/** The longest that KMS allows, to notice that a key is to be deleted. */
const PENDING_DELETION = Duration.days(30)

export interface CustomerKeyProps {
  /** Below `alias/`. */
  readonly alias: string
  readonly description: string
  readonly policy: PolicyDocument
}

/** A customer managed key. It stays when its stack goes: snapshots and logs that stay need it. */
export function customerKey(scope: Construct, id: string, props: CustomerKeyProps): Key {
  return new Key(scope, id, {
    ...props,
    enableKeyRotation: true,
    rotationPeriod: ROTATION,
    pendingWindow: PENDING_DELETION,
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  })
}

export interface KeysProps {
  readonly project: string
  /** Prefix of the aliases. */
  readonly name: string
  /** Account that copies of the database's snapshots go to. */
  readonly copyAccount?: string
  /** Whether AWS Backup delivers reports. */
  readonly reports: boolean
}

/** A key per kind of data, each usable only through the service that holds that data. */
export class Keys extends Construct {
  /** Aurora (storage, snapshots, Database Insights), and Valkey beside it. */
  readonly database: Key
  /** Secrets Manager. */
  readonly secrets: Key
  /** The bucket of the archive. */
  readonly archive: Key
  /** Vaults and reports of AWS Backup. */
  readonly backup: Key
  /** CloudWatch Logs. */
  readonly logs: Key
  /** Wraps Akashi's keys, for its tasks, and encrypts the volume that these lie on. */
  readonly personKeyring: Key

  constructor(scope: Construct, id: string, { project, name, copyAccount, reports }: KeysProps) {
    super(scope, id)
    const key = (keyId: string, alias: string, purpose: string, ...users: PolicyStatement[]): Key =>
      customerKey(this, keyId, {
        alias: `${name}/${alias}`,
        description: `${project} ${purpose} encryption key`,
        policy: keyPolicy(...users),
      })

    this.database = key(
      'Database',
      'database',
      'Aurora',
      ...useThroughServices(this, 'rds', 'backup', 'elasticache'),
      ...(copyAccount === undefined ? [] : useByCopyAccount(copyAccount)),
    )
    this.secrets = key('Secrets', 'secrets', 'secrets', ...useThroughServices(this, 'secretsmanager'))
    this.archive = key('Archive', 'archive', 'archive', ...useThroughServices(this, 's3'))
    this.backup = key(
      'Backup',
      'backup',
      'backup',
      ...useThroughServices(this, 'backup', 'rds', 's3'),
      ...(reports ? [this.deliverReports()] : []),
    )
    this.logs = key('Logs', 'logs', 'log', useByCloudWatchLogs(this))
    this.personKeyring = key(
      'PersonKeyring',
      'person-keyring',
      'person keyring',
      useByRoles(this, ...TASKS.map((task) => `${name}-${task}`)),
      ...useThroughServices(this, 'elasticfilesystem'),
    )
  }

  private deliverReports(): PolicyStatement {
    return new PolicyStatement({
      sid: 'BackupReports',
      principals: [reportsRole(this)],
      actions: ['kms:GenerateDataKey', 'kms:Encrypt'],
      resources: ['*'],
    })
  }
}
