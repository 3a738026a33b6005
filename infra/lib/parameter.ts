import type { AuroraPostgresEngineVersion } from 'aws-cdk-lib/aws-rds'

/** Everything that may differ between environments; the values are in parameter.ts. */
export interface EnvironmentParameter {
  /** Names the resources and stands in the tag Project. */
  readonly project: string
  readonly environment: 'dev' | 'staging' | 'prod'
  /** 12 digits. Left out, it is the account of whoever deploys. */
  readonly account?: string
  readonly region: string
  /** Regions that may hold data, copies included. Naming another one anywhere fails the synthesis. */
  readonly dataResidency: readonly string[]
  /** `o-…`: the VPC endpoints then admit the whole organisation, not this account alone. */
  readonly organizationId?: string
  readonly network: NewNetwork | ExistingNetwork
  readonly database: DatabaseParameter
  readonly backup: BackupParameter
  readonly archive: ArchiveParameter
  readonly service: ServiceParameter
  readonly monitoring: MonitoringParameter
  /** What watches the account. Left out, nothing of it is made: another environment of the account has it, or none. */
  readonly security?: SecurityParameter
}

export interface NewNetwork {
  readonly cidr: string
  /** By name, because looking them up would need an account; Aurora wants at least two. */
  readonly availabilityZones: readonly string[]
  /** For the compute subnets. 0 leaves them the VPC endpoints only. */
  readonly natGateways: number
  /** Zones in which each interface endpoint has an address; each costs. */
  readonly endpointZones: number
}

/** A network that the account already has. Nothing of it is created. */
export interface ExistingNetwork {
  readonly vpcId: string
  readonly cidr: string
  readonly availabilityZones: readonly string[]
  /** One for each availability zone, in the same order, without a route to the Internet. */
  readonly dataSubnetIds: readonly string[]
  /** One for each availability zone, in the same order, with a way to the AWS services. */
  readonly computeSubnetIds: readonly string[]
  /** The security group of the database. Left out, one is created. */
  readonly databaseSecurityGroupId?: string
}

export interface DatabaseParameter {
  readonly engineVersion: AuroraPostgresEngineVersion
  /** Aurora capacity units, in steps of 0.5. 0 pauses an idle database and turns logical replication off. */
  readonly minCapacity: number
  readonly maxCapacity: number
  /** Readers that are always there. */
  readonly readers: number
  /** Readers up to which auto scaling may go; no auto scaling when it equals `readers`. */
  readonly maxReaders: number
  /** CloudWatch Database Insights: 7 days of history, or 15 months. */
  readonly insights: 'standard' | 'advanced'
  /** Regions that an Aurora Global Database will be extended to. */
  readonly globalRegions?: readonly string[]
}

export interface BackupParameter {
  /** Point-in-time recovery and daily backups go back this far. */
  readonly retentionDays: number
  /** AWS Backup Audit Manager, its reports and the monthly restore test; needs AWS Config. */
  readonly audit: boolean
  /** A second copy in a logically air-gapped vault. Nobody can remove it before its retention ends. */
  readonly airGapped: boolean
  /** Region of another copy. */
  readonly copyRegion?: string
  /** Account of the same organisation that holds another copy, in the same region. */
  readonly copyAccount?: string
}

export interface ArchiveParameter {
  /** Mode of Object Lock: administrators can lift governance, nobody can lift compliance. */
  readonly lock: 'governance' | 'compliance'
  /** Name of the Glue database, which is one in a region of an account. */
  readonly database: string
  /** First and last year that the tables of Athena show. */
  readonly years: `${number},${number}`
  /** A query of Athena that would read more is ended. */
  readonly scanLimitGigabytes: number
  /** Account of the same organisation that holds the copies of the sealed logs, with their checkpoints. */
  readonly witnessAccount?: string
}

export interface ServiceParameter {
  /** Of the image in the repository of the environment. A new one is installed and then deployed. */
  readonly imageTag: string
  /** Where people find Akashi. */
  readonly hostName: string
  /** Certificate of the host name in the region, for the load balancer. */
  readonly certificateArn: string
  /** Certificate of the host name in us-east-1, for CloudFront. Left out, only the network reaches Akashi. */
  readonly edgeCertificateArn?: string
  /** Countries that CloudFront serves. */
  readonly countries: readonly string[]
  /** Tasks that serve HTTP. */
  readonly minTasks: number
  readonly maxTasks: number
  /** Tasks that seal, archive and verify; a second one takes over at once. */
  readonly workers: number
  /** Traces of OpenTelemetry, in X-Ray. Left out, nothing is traced. */
  readonly tracing?: TracingParameter
}

export interface TracingParameter {
  /** Of the image of AWS's collector, in the repository `<name>-collector`. */
  readonly collectorTag: string
}

export interface MonitoringParameter {
  /** Addresses that alarms are sent to, each after it has confirmed. */
  readonly emails: readonly string[]
  /** US dollars a month for the account, of which 80 and 100 % and a forecast above raise an alarm. */
  readonly budget: number
}

/** `create`: the account has none, and this environment makes it. `adopt`: the account has it already. */
export type Ownership = 'create' | 'adopt'

export interface SecurityParameter {
  /** Security Hub CSPM with its three standards. */
  readonly securityHub: Ownership
  readonly guardDuty: Ownership
  /** The recorder of AWS Config. The conformance pack is made in any case. */
  readonly config: Ownership
  /** The trail of management events. That of the data events of the archive is made in any case. */
  readonly cloudTrail: Ownership
  readonly accessAnalyzer: Ownership
}
