import type { EnvironmentParameter, ExistingNetwork, NewNetwork } from './parameter.ts'

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
const ACCOUNT = /^\d{12}$/
/** Akashi archives nothing older. */
const FIRST_YEAR = 2000
/** What SNS takes for an address. */
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/
const ORGANIZATION = /^o-[a-z0-9]{10,32}$/

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
  const { years, scanLimitGigabytes, witnessAccount } = archive
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
