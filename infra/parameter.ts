/** What differs between the environments. One file, so that a reader compares them line by line. */
import { AuroraPostgresEngineVersion } from 'aws-cdk-lib/aws-rds'
import type { EnvironmentParameter } from './lib/parameter.ts'

/** The newest version of Aurora PostgreSQL that the CDK knows. */
const engineVersion = AuroraPostgresEngineVersion.VER_18_6

/** The release of AWS's collector whose image is copied into the repository; the same in every environment. */
const collectorTag = 'v0.45.1'

/** To be replaced. No account has these numbers, so nothing can be deployed before. */
const PRODUCTION_ACCOUNT = '000000000000'
const COPY_ACCOUNT = '000000000001'
const ORGANIZATION = 'o-0000000000'
/** To be replaced. A reserved domain, whose mail reaches nobody. */
const OPERATORS = 'operators@akashi.example.org'
const CERTIFICATE = `arn:aws:acm:ap-northeast-1:${PRODUCTION_ACCOUNT}:certificate/00000000-0000-0000-0000-000000000000`
/** CloudFront finds certificates there alone; they are public. */
const EDGE_CERTIFICATE = `arn:aws:acm:us-east-1:${PRODUCTION_ACCOUNT}:certificate/00000000-0000-0000-0000-000000000000`

export const dev: EnvironmentParameter = {
  project: 'Akashi',
  environment: 'dev',
  region: 'ap-northeast-1',
  dataResidency: ['ap-northeast-1'],
  network: {
    cidr: '10.0.0.0/16',
    availabilityZones: ['ap-northeast-1a', 'ap-northeast-1c'],
    natGateways: 1,
    endpointZones: 1,
  },
  // Pauses after half an hour without a connection, and therefore has no cross-check.
  database: {
    engineVersion,
    minCapacity: 0,
    maxCapacity: 4,
    readers: 0,
    maxReaders: 0,
    insights: 'standard',
  },
  backup: { retentionDays: 7, audit: false, airGapped: false },
  archive: {
    lock: 'governance',
    database: 'idp_archive_dev',
    years: '2026,2040',
    scanLimitGigabytes: 10,
  },
  service: {
    imageTag: '0.1.0',
    hostName: 'dev.akashi.example.org',
    certificateArn: CERTIFICATE,
    countries: ['JP'],
    minTasks: 1,
    maxTasks: 1,
    workers: 1,
  },
  // No stack Security: it belongs to an account, and that of staging watches this one too.
  monitoring: { emails: [OPERATORS], budget: 400 },
}

export const staging: EnvironmentParameter = {
  project: 'Akashi',
  environment: 'staging',
  region: 'ap-northeast-1',
  dataResidency: ['ap-northeast-1', 'ap-northeast-3'],
  network: {
    cidr: '10.1.0.0/16',
    availabilityZones: ['ap-northeast-1a', 'ap-northeast-1c'],
    natGateways: 1,
    endpointZones: 2,
  },
  database: {
    engineVersion,
    minCapacity: 0.5,
    maxCapacity: 4,
    readers: 1,
    maxReaders: 2,
    insights: 'standard',
  },
  backup: { retentionDays: 7, audit: true, airGapped: false, copyRegion: 'ap-northeast-3' },
  archive: {
    lock: 'governance',
    database: 'idp_archive_staging',
    years: '2026,2040',
    scanLimitGigabytes: 10,
  },
  service: {
    imageTag: '0.1.0',
    hostName: 'staging.akashi.example.org',
    certificateArn: CERTIFICATE,
    edgeCertificateArn: EDGE_CERTIFICATE,
    countries: ['JP'],
    minTasks: 1,
    maxTasks: 2,
    workers: 1,
    tracing: { collectorTag },
  },
  monitoring: { emails: [OPERATORS], budget: 700 },
  security: {
    securityHub: 'create',
    guardDuty: 'create',
    config: 'create',
    cloudTrail: 'create',
    accessAnalyzer: 'create',
  },
}

export const prod: EnvironmentParameter = {
  project: 'Akashi',
  environment: 'prod',
  account: PRODUCTION_ACCOUNT,
  organizationId: ORGANIZATION,
  region: 'ap-northeast-1',
  dataResidency: ['ap-northeast-1', 'ap-northeast-3'],
  network: {
    cidr: '10.2.0.0/16',
    availabilityZones: ['ap-northeast-1a', 'ap-northeast-1c', 'ap-northeast-1d'],
    natGateways: 3,
    endpointZones: 3,
  },
  database: {
    engineVersion,
    minCapacity: 0.5,
    maxCapacity: 4,
    readers: 1,
    maxReaders: 4,
    insights: 'standard',
  },
  backup: {
    retentionDays: 35,
    audit: true,
    airGapped: true,
    copyRegion: 'ap-northeast-3',
    copyAccount: COPY_ACCOUNT,
  },
  archive: {
    lock: 'compliance',
    database: 'idp_archive',
    years: '2026,2040',
    scanLimitGigabytes: 100,
    witnessAccount: COPY_ACCOUNT,
  },
  service: {
    imageTag: '0.1.0',
    hostName: 'akashi.example.org',
    certificateArn: CERTIFICATE,
    edgeCertificateArn: EDGE_CERTIFICATE,
    countries: ['JP'],
    minTasks: 2,
    maxTasks: 8,
    workers: 2,
    tracing: { collectorTag },
  },
  monitoring: { emails: [OPERATORS], budget: 1_200 },
  security: {
    securityHub: 'create',
    guardDuty: 'create',
    config: 'create',
    cloudTrail: 'create',
    accessAnalyzer: 'create',
  },
}

export const environments: readonly EnvironmentParameter[] = [dev, staging, prod]
