import { SUBNET_MASK, subnetsNeeded } from './construct/subnets.ts'
import type { EnvironmentParameter, ExistingNetwork, NewNetwork, SecurityParameter } from './parameter.ts'

/** Aurora puts its instances into at least two zones. */
const MIN_ZONES = 2
/** Limits of RDS for the retention of automated backups, in days. */
const BACKUP_RETENTION_DAYS = { min: 1, max: 35 }
/** A logically air-gapped vault keeps nothing for less, in days. */
const MIN_AIR_GAPPED_DAYS = 7
/** Limits of Aurora Serverless v2, in capacity units. */
const CAPACITY = { step: 0.5, max: 256 }
/** Limit of Aurora. */
const MAX_READERS = 15

/** What identifiers of RDS, vaults, frameworks and restore tests have in common. */
const PROJECT = /^[A-Za-z][A-Za-z0-9]{0,19}$/
/** Cognito takes no domain with one of these in it. */
const RESERVED = /aws|amazon|cognito/i
/** Limits of a VPC, as prefix lengths. */
const MIN_PREFIX = 16
const MAX_PREFIX = 28
const ACCOUNT = /^\d{12}$/
/** Akashi archives nothing older. */
const FIRST_YEAR = 2000
/** What SNS takes for an address. */
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/
const ORGANIZATION = /^o-[a-z0-9]{10,32}$/
/** What Glue and Athena both take without quotes. */
const DATABASE = /^[a-z][a-z0-9_]{0,254}$/
const HOST_NAME = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/
/** ISO 3166-1, two letters. */
const COUNTRY = /^[A-Z]{2}$/
/** Of an image. */
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
/** Tags that mean another image tomorrow: a deployment would not see it, and the repository takes each once. */
const MOVING = new Set(['latest', 'main', 'stable'])
/** CloudFront looks for certificates there alone. */
const EDGE_REGION = 'us-east-1'

export function isExistingNetwork(network: NewNetwork | ExistingNetwork): network is ExistingNetwork {
  return 'vpcId' in network
}

/** Throws an Error that names every mistake of the parameter, so that the synthesis fails before any resource. */
export function checkParameter(parameter: EnvironmentParameter): void {
  const mistakes = [
    ...nameMistakes(parameter),
    ...residencyMistakes(parameter),
    ...networkMistakes(parameter.network, parameter.region),
    ...databaseMistakes(parameter),
    ...backupMistakes(parameter),
    ...archiveMistakes(parameter),
    ...serviceMistakes(parameter),
    ...monitoringMistakes(parameter),
  ]
  if (mistakes.length === 0) return
  throw new Error([`parameter ${parameter.environment} is wrong:`, ...mistakes].join('\n  - '))
}

/** Every region in which the environment would hold data. */
export function regionsOf({ region, backup, database }: EnvironmentParameter): string[] {
  return [
    region,
    ...(backup.copyRegion === undefined ? [] : [backup.copyRegion]),
    ...(database.globalRegions ?? []),
  ]
}

function* nameMistakes({ project, organizationId }: EnvironmentParameter): Generator<string> {
  if (!PROJECT.test(project)) {
    yield `project '${project}' cannot name resources; hint: a letter, then up to 19 letters or digits`
  }
  if (RESERVED.test(project)) {
    yield `project '${project}' cannot name the domain of Cognito; hint: a name without aws, amazon and cognito`
  }
  if (organizationId !== undefined && !ORGANIZATION.test(organizationId)) {
    yield `organizationId ${organizationId} is not of the form o-a1b2c3d4e5`
  }
}

function* residencyMistakes(parameter: EnvironmentParameter): Generator<string> {
  const allowed = parameter.dataResidency
  for (const region of regionsOf(parameter)) {
    if (allowed.includes(region)) continue
    yield `region ${region} is outside the data residency (${allowed.join(', ')}); hint: change the region or dataResidency`
  }
}

function* networkMistakes(network: NewNetwork | ExistingNetwork, region: string): Generator<string> {
  const zones = network.availabilityZones
  if (new Set(zones).size < MIN_ZONES) {
    yield `${zones.length} availability zones; hint: name ${MIN_ZONES} different ones`
  }
  for (const zone of zones) {
    if (!zone.startsWith(region)) yield `availability zone ${zone} is not in ${region}`
  }
  yield* rangeMistakes(network)
  if (isExistingNetwork(network)) {
    for (const name of ['dataSubnetIds', 'computeSubnetIds'] as const) {
      if (network[name].length !== zones.length) yield `${name}: name one subnet for each availability zone`
    }
    return
  }
  for (const name of ['natGateways', 'endpointZones'] as const) {
    const count = network[name]
    if (!Number.isInteger(count) || count < 0 || count > zones.length) {
      yield `${name} is ${count}; hint: 0 to ${zones.length}, the number of availability zones`
    }
  }
  if (network.natGateways === 0 && network.endpointZones === 0) {
    yield 'compute would reach no AWS service; hint: natGateways or endpointZones of at least 1'
  }
}

/** The load balancer admits the range of the network and Akashi believes proxies in it, so it must be nobody else's. */
function* rangeMistakes(network: NewNetwork | ExistingNetwork): Generator<string> {
  const { cidr } = network
  const [address = '', length = ''] = cidr.split('/')
  const bytes = address.split('.').map(Number)
  const [first = 0, second = 0] = bytes
  const isAddress =
    bytes.length === 4 && bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256)
  if (!isAddress || !/^\d{2}$/.test(length) || Number(length) < MIN_PREFIX || Number(length) > MAX_PREFIX) {
    yield `cidr ${cidr} is no range of a VPC; hint: /${MIN_PREFIX} to /${MAX_PREFIX}, such as 10.0.0.0/16`
    return
  }
  const isPrivate =
    first === 10 || (first === 172 && second >= 16 && second < 32) || (first === 192 && second === 168)
  if (!isPrivate)
    yield `cidr ${cidr} is not private; hint: a range of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16`
  if (isExistingNetwork(network)) return
  const room = 2 ** Math.max(0, SUBNET_MASK - Number(length))
  const needed = subnetsNeeded(network)
  if (room < needed) {
    yield `cidr ${cidr} has room for ${room} subnets of /${SUBNET_MASK}, and ${needed} are needed; hint: /16`
  }
}

function* databaseMistakes({ database, environment }: EnvironmentParameter): Generator<string> {
  const { minCapacity, maxCapacity, readers, maxReaders, globalRegions = [] } = database
  for (const [name, units] of Object.entries({ minCapacity, maxCapacity })) {
    if (units % CAPACITY.step !== 0 || units < 0 || units > CAPACITY.max) {
      yield `${name} is ${units}; hint: steps of ${CAPACITY.step} up to ${CAPACITY.max}`
    }
  }
  if (maxCapacity <= CAPACITY.step || maxCapacity < minCapacity) {
    yield `maxCapacity ${maxCapacity} is too small; hint: above ${CAPACITY.step} and at least minCapacity`
  }
  if (minCapacity === 0 && environment === 'prod') {
    yield 'minCapacity 0 pauses production and its cross-check; hint: at least 0.5'
  }
  if (minCapacity === 0 && globalRegions.length > 0) {
    yield 'a Global Database cannot pause; hint: minCapacity of at least 0.5'
  }
  if (
    !Number.isInteger(readers) ||
    !Number.isInteger(maxReaders) ||
    readers < 0 ||
    maxReaders > MAX_READERS
  ) {
    yield `readers ${readers} to ${maxReaders}; hint: whole numbers up to ${MAX_READERS}`
  }
  if (maxReaders < readers) yield `maxReaders ${maxReaders} is below readers ${readers}`
  if (environment === 'prod' && readers === 0) {
    yield 'production without a reader has no instance to fail over to; hint: readers of at least 1'
  }
}

function* backupMistakes({ backup, region, account }: EnvironmentParameter): Generator<string> {
  const { retentionDays, airGapped, copyRegion, copyAccount } = backup
  const { min, max } = BACKUP_RETENTION_DAYS
  if (!Number.isInteger(retentionDays) || retentionDays < min || retentionDays > max) {
    yield `retentionDays is ${retentionDays}; hint: whole days, ${min} to ${max}`
  }
  if (airGapped && retentionDays < MIN_AIR_GAPPED_DAYS) {
    yield `an air-gapped vault keeps at least ${MIN_AIR_GAPPED_DAYS} days, not ${retentionDays}`
  }
  if (copyRegion === region) yield `copyRegion ${copyRegion} is the region of the database`
  for (const [name, number] of Object.entries({ account, copyAccount })) {
    if (number !== undefined && !ACCOUNT.test(number)) yield `${name} ${number} is not 12 digits`
  }
  if (copyAccount !== undefined && account === undefined) {
    yield 'copyAccount needs account, which its vault admits; hint: set account'
  }
  if (copyAccount !== undefined && copyAccount === account) yield 'copyAccount is the account of the database'
}

function* archiveMistakes({
  archive,
  account,
  organizationId,
  network,
}: EnvironmentParameter): Generator<string> {
  const { years, scanLimitGigabytes, witnessAccount, database } = archive
  if (!DATABASE.test(database)) {
    yield `archive.database '${database}' cannot name a Glue database; hint: a letter, then letters, digits and _, all small`
  }
  const [first = 0, last = 0] = years.split(',').map(Number)
  if (first < FIRST_YEAR || last < first) {
    yield `years ${years} are no range; hint: the first and the last year, such as 2026,2040`
  }
  if (!Number.isInteger(scanLimitGigabytes) || scanLimitGigabytes < 1) {
    yield `scanLimitGigabytes is ${scanLimitGigabytes}; hint: whole gigabytes, at least 1`
  }
  if (witnessAccount === undefined) return
  if (!ACCOUNT.test(witnessAccount)) yield `witnessAccount ${witnessAccount} is not 12 digits`
  if (account === undefined)
    yield 'witnessAccount needs account, whose worker its bucket admits; hint: set account'
  if (witnessAccount === account) yield 'witnessAccount is the account of the database, which proves nothing'
  if (organizationId === undefined && !isExistingNetwork(network)) {
    yield 'witnessAccount needs organizationId, since the endpoints admit this account alone otherwise'
  }
}

function* serviceMistakes({
  service,
  region,
  account,
  network,
  environment,
}: EnvironmentParameter): Generator<string> {
  const { imageTag, hostName, countries, minTasks, maxTasks, workers, tracing } = service
  for (const [name, tag] of Object.entries({ imageTag, collectorTag: tracing?.collectorTag })) {
    if (tag !== undefined && (!TAG.test(tag) || MOVING.has(tag))) {
      yield `${name} '${tag}' names no image for good; hint: a version, such as 0.1.0`
    }
  }
  if (!HOST_NAME.test(hostName)) yield `hostName '${hostName}' is no host name; hint: akashi.example.org`
  yield* certificateMistakes('certificateArn', service.certificateArn, region, account)
  yield* certificateMistakes('edgeCertificateArn', service.edgeCertificateArn, EDGE_REGION, account)
  if (countries.length === 0) yield 'countries is empty, and CloudFront would serve nobody; hint: JP'
  for (const country of countries) {
    if (!COUNTRY.test(country)) yield `'${country}' is no country; hint: two capital letters, such as JP`
  }
  for (const [name, count] of Object.entries({ minTasks, maxTasks, workers })) {
    if (!Number.isInteger(count) || count < 1) yield `${name} is ${count}; hint: whole tasks, at least 1`
  }
  if (maxTasks < minTasks) yield `maxTasks ${maxTasks} is below minTasks ${minTasks}`
  if (environment === 'prod' && minTasks < 2) {
    yield 'production with one task is away while it is replaced; hint: minTasks of at least 2'
  }
  if (!isExistingNetwork(network) && network.natGateways === 0 && service.edgeCertificateArn !== undefined) {
    yield 'CloudFront needs an Internet gateway in the network, which comes with natGateways; hint: natGateways of at least 1, or no edgeCertificateArn'
  }
}

function* certificateMistakes(
  name: string,
  arn: string | undefined,
  region: string,
  account?: string,
): Generator<string> {
  if (arn === undefined) return
  const [, , service, where, owner] = arn.split(':')
  if (service !== 'acm') yield `${name} '${arn}' is no certificate of ACM; hint: arn:aws:acm:${region}:…`
  else if (where !== region) yield `${name} is in ${where}, and has to be in ${region}`
  else if (account !== undefined && owner !== account)
    yield `${name} belongs to ${owner}, and has to be of ${account}`
}

function* monitoringMistakes({ monitoring }: EnvironmentParameter): Generator<string> {
  const { emails, budget } = monitoring
  if (emails.length === 0)
    yield 'emails is empty, and nobody would be told; hint: the address of whoever operates it'
  for (const email of emails) {
    if (!EMAIL.test(email)) yield `'${email}' is no e-mail address; hint: name@example.org`
  }
  if (new Set(emails).size !== emails.length) yield 'emails names an address twice'
  if (!(budget > 0)) yield `budget is ${budget}; hint: US dollars a month, above 0`
}

/** What an account has once in a region, and who makes it. */
function created({ security }: EnvironmentParameter): (keyof SecurityParameter)[] {
  return Object.entries(security ?? {}).flatMap(([guard, ownership]) =>
    ownership === 'create' && guard !== 'cloudTrail' ? [guard as keyof SecurityParameter] : [],
  )
}

/**
 * Throws an Error that names what two environments of one account and region would both make. Without account they are
 * in that of whoever deploys, and taken to be in one.
 */
export function checkTogether(environments: readonly EnvironmentParameter[]): void {
  const mistakes: string[] = []
  for (const [index, one] of environments.entries()) {
    for (const other of environments.slice(index + 1)) {
      if (one.account !== other.account || one.region !== other.region) continue
      const pair = `${one.project} ${one.environment} and ${other.project} ${other.environment}`
      if (one.archive.database === other.archive.database) {
        mistakes.push(
          `${pair} both make the Glue database ${one.archive.database}; hint: another archive.database`,
        )
      }
      for (const guard of created(one).filter((each) => created(other).includes(each))) {
        mistakes.push(`${pair} both make ${guard}, which an account has once; hint: 'adopt' in one of them`)
      }
    }
  }
  if (mistakes.length > 0) throw new Error(['parameter.ts is wrong:', ...mistakes].join('\n  - '))
}
