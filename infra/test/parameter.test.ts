import { AuroraPostgresEngineVersion } from 'aws-cdk-lib/aws-rds'
import { describe, expect, test } from 'vitest'
import { checkParameter, checkTogether, regionsOf } from '../lib/check-parameter.ts'
import { maxConnections } from '../lib/max-connections.ts'
import type { EnvironmentParameter, NewNetwork } from '../lib/parameter.ts'
import { dev, environments, prod } from '../parameter.ts'
import { existingNetwork } from './support/existing-network.ts'
import { synthesize } from './support/synthesize.ts'

const network = prod.network as NewNetwork

function mistakes(parameter: EnvironmentParameter): string {
  try {
    checkParameter(parameter)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

function withDatabase(
  database: Partial<EnvironmentParameter['database']>,
  base = prod,
): EnvironmentParameter {
  return { ...base, database: { ...base.database, ...database } }
}

function withBackup(backup: Partial<EnvironmentParameter['backup']>, base = prod): EnvironmentParameter {
  return { ...base, backup: { ...base.backup, ...backup } }
}

function withService(service: Partial<EnvironmentParameter['service']>, base = prod): EnvironmentParameter {
  return { ...base, service: { ...base.service, ...service } }
}

function withRange(cidr: string): EnvironmentParameter {
  return { ...prod, network: { ...network, cidr } }
}

function withArchive(archive: Partial<EnvironmentParameter['archive']>, base = prod): EnvironmentParameter {
  return { ...base, archive: { ...base.archive, ...archive } }
}

describe('the parameters', () => {
  test.each(environments)('$environment is right', (parameter) => {
    expect(mistakes(parameter)).toBe('')
  })

  test('the engine is the newest that the CDK knows', () => {
    const versions = Object.keys(AuroraPostgresEngineVersion)
      .map((name) => /^VER_(\d+)_(\d+)$/.exec(name))
      .map((match) => (match === null ? 0 : Number(match[1]) * 1_000 + Number(match[2])))
    const newest = Math.max(...versions)
    for (const { database } of environments) {
      expect(database.engineVersion.auroraPostgresFullVersion).toBe(
        `${Math.trunc(newest / 1_000)}.${newest % 1_000}`,
      )
    }
  })

  test('environments have ranges that can be connected', () => {
    const ranges = environments.map(({ network: one }) => one.cidr)
    expect(new Set(ranges).size).toBe(ranges.length)
  })
})

describe('data residency', () => {
  const outside: readonly [string, EnvironmentParameter][] = [
    [
      'the database',
      {
        ...dev,
        region: 'us-east-1',
        network: {
          ...network,
          availabilityZones: ['us-east-1a', 'us-east-1b'],
          natGateways: 1,
          endpointZones: 1,
        },
      },
    ],
    ['a copy', withBackup({ copyRegion: 'us-west-2' })],
    ['a Global Database', withDatabase({ globalRegions: ['ap-northeast-3', 'eu-central-1'] })],
  ]

  test.each(outside)('%s outside of it fails the synthesis', (_, parameter) => {
    expect(() => synthesize(parameter)).toThrow(
      /region (us-east-1|us-west-2|eu-central-1) is outside the data residency/,
    )
  })

  test.each(environments)('$environment names no region outside of it', (parameter) => {
    const text = JSON.stringify(Object.values(synthesize(parameter)).map(({ json }) => json))
    // CloudFront has no region; its certificates are in us-east-1 and public.
    const held = text.replaceAll(/arn:aws:acm:us-east-1:/g, '')
    const regions = new Set(held.match(/\b(af|ap|ca|eu|il|me|mx|sa|us)-(gov-)?[a-z]+-\d\b/g))
    expect([...regions].toSorted()).toEqual(regionsOf(parameter).toSorted())
    for (const region of regions) expect(parameter.dataResidency).toContain(region)
  })
})

describe('a mistake fails the synthesis and says what to do', () => {
  const wrong: readonly [string, EnvironmentParameter, RegExp][] = [
    ['a pause of production', withDatabase({ minCapacity: 0 }), /pauses production.*at least 0\.5/],
    ['production without a reader', withDatabase({ readers: 0 }), /no instance to fail over to/],
    [
      'a capacity between the steps',
      withDatabase({ minCapacity: 0.7 }),
      /minCapacity is 0\.7.*steps of 0\.5/,
    ],
    ['a capacity that is no number', withDatabase({ maxCapacity: Number.NaN }), /maxCapacity is NaN/],
    ['more capacity than there is', withDatabase({ maxCapacity: 257 }), /up to 256/],
    ['less than the least', withDatabase({ maxCapacity: 0.5 }), /maxCapacity 0\.5 is too small/],
    ['a maximum below the minimum', withDatabase({ minCapacity: 8 }), /at least minCapacity/],
    ['fewer readers at most', withDatabase({ maxReaders: 0 }), /maxReaders 0 is below readers 1/],
    ['too many readers', withDatabase({ maxReaders: 16 }), /whole numbers up to 15/],
    ['half a reader', withDatabase({ readers: 1.5 }), /whole numbers/],
    [
      'a Global Database that pauses',
      withDatabase({ globalRegions: ['ap-northeast-1'] }, dev),
      /a Global Database cannot pause/,
    ],
    ['retention beyond that of RDS', withBackup({ retentionDays: 36 }), /retentionDays is 36.*1 to 35/],
    ['no retention', withBackup({ retentionDays: 0 }), /retentionDays is 0/],
    ['half a day', withBackup({ retentionDays: 7.5 }), /retentionDays is 7\.5/],
    ['an air-gapped vault for days', withBackup({ retentionDays: 6 }), /at least 7 days, not 6/],
    [
      'a copy to the same region',
      withBackup({ copyRegion: 'ap-northeast-1' }),
      /is the region of the database/,
    ],
    [
      'a copy to the same account',
      withBackup({ copyAccount: '000000000000' }),
      /is the account of the database/,
    ],
    ['a copy from an unknown account', withBackup({ copyAccount: '000000000001' }, dev), /needs account/],
    ['an account of 11 digits', withBackup({ copyAccount: '00000000001' }), /is not 12 digits/],
    [
      'a project that cannot be a name',
      { ...dev, project: 'My App' },
      /project 'My App' cannot name resources/,
    ],
    ['an organisation that is none', { ...dev, organizationId: '123456789012' }, /not of the form o-/],
    [
      'one zone',
      { ...prod, network: { ...network, availabilityZones: ['ap-northeast-1a'] } },
      /1 availability zones/,
    ],
    [
      'a zone twice',
      { ...prod, network: { ...network, availabilityZones: ['ap-northeast-1a', 'ap-northeast-1a'] } },
      /name 2 different ones/,
    ],
    [
      'a zone elsewhere',
      { ...prod, network: { ...network, availabilityZones: ['ap-northeast-1a', 'ap-northeast-3a'] } },
      /ap-northeast-3a is not in ap-northeast-1/,
    ],
    ['more NAT than zones', { ...prod, network: { ...network, natGateways: 4 } }, /natGateways is 4.*0 to 3/],
    [
      'compute without a way to AWS',
      { ...prod, network: { ...network, natGateways: 0, endpointZones: 0 } },
      /reach no AWS service/,
    ],
    ['years backwards', withArchive({ years: '2030,2026' }), /years 2030,2026 are no range/],
    ['no limit of scans', withArchive({ scanLimitGigabytes: 0 }), /scanLimitGigabytes is 0.*at least 1/],
    [
      'a witness in the same account',
      withArchive({ witnessAccount: '000000000000' }),
      /witnessAccount is the account of the database/,
    ],
    ['a witness of 11 digits', withArchive({ witnessAccount: '00000000001' }), /is not 12 digits/],
    [
      'a witness of nobody',
      withArchive({ witnessAccount: '000000000001' }, dev),
      /witnessAccount needs account/,
    ],
    [
      'a witness that the endpoints do not reach',
      { ...prod, organizationId: undefined },
      /witnessAccount needs organizationId/,
    ],
    [
      'a database with a hyphen',
      withArchive({ database: 'idp-archive' }),
      /'idp-archive' cannot name a Glue/,
    ],
    ['a project of Amazon', { ...dev, project: 'MyAwsChat' }, /cannot name the domain of Cognito/],
    ['everybody as network', withRange('0.0.0.0/0'), /0\.0\.0\.0\/0 is no range of a VPC.*\/16 to \/28/],
    ['a network of others', withRange('8.8.0.0/16'), /8\.8\.0\.0\/16 is not private/],
    ['a network that is none', withRange('10.0.0.999/16'), /is no range of a VPC/],
    ['a network too small', withRange('10.0.0.0/20'), /room for 4 subnets of \/22, and 9 are needed/],
    [
      'everybody as an existing network',
      { ...prod, network: { ...existingNetwork, cidr: '0.0.0.0/0' } },
      /is no range of a VPC/,
    ],
    ['the newest image', withService({ imageTag: 'latest' }), /imageTag 'latest' names no image for good/],
    [
      'the newest collector',
      withService({ tracing: { collectorTag: 'latest' } }),
      /collectorTag 'latest' names no image for good/,
    ],
    ['an image by another name', withService({ imageTag: 'a:b' }), /imageTag 'a:b'/],
    [
      'a URL as host name',
      withService({ hostName: 'https://a.example' }),
      /'https:\/\/a\.example' is no host/,
    ],
    [
      'a certificate of another region',
      withService({ certificateArn: `arn:aws:acm:us-east-1:${prod.account}:certificate/1` }),
      /certificateArn is in us-east-1, and has to be in ap-northeast-1/,
    ],
    [
      'a certificate that CloudFront does not find',
      withService({ edgeCertificateArn: `arn:aws:acm:ap-northeast-1:${prod.account}:certificate/1` }),
      /edgeCertificateArn is in ap-northeast-1, and has to be in us-east-1/,
    ],
    [
      'a certificate of another account',
      withService({ certificateArn: 'arn:aws:acm:ap-northeast-1:111111111111:certificate/1' }),
      /belongs to 111111111111/,
    ],
    [
      'no certificate',
      withService({ certificateArn: 'arn:aws:iam::1:server-certificate/x' }),
      /no certificate of ACM/,
    ],
    ['nobody to serve', withService({ countries: [] }), /would serve nobody/],
    ['a country by name', withService({ countries: ['Japan'] }), /'Japan' is no country/],
    ['no task', withService({ minTasks: 0 }, dev), /minTasks is 0.*at least 1/],
    ['no worker', withService({ workers: 0 }), /workers is 0/],
    ['fewer tasks at most', withService({ maxTasks: 1 }), /maxTasks 1 is below minTasks 2/],
    ['production with one task', withService({ minTasks: 1 }), /away while it is replaced/],
    [
      'CloudFront without an Internet gateway',
      { ...prod, network: { ...network, natGateways: 0 } },
      /CloudFront needs an Internet gateway/,
    ],
    [
      'a subnet too few',
      {
        ...dev,
        network: {
          vpcId: 'vpc-1',
          cidr: '10.0.0.0/16',
          availabilityZones: ['ap-northeast-1a', 'ap-northeast-1c'],
          dataSubnetIds: ['subnet-1'],
          computeSubnetIds: ['subnet-2', 'subnet-3'],
        },
      },
      /dataSubnetIds: name one subnet for each availability zone/,
    ],
  ]

  test.each(wrong)('%s', (_, parameter, message) => {
    expect(mistakes(parameter)).toMatch(message)
  })

  test('a region that AWS has not', () => {
    const region = 'ap-northeast-9'
    const parameter = {
      ...dev,
      region,
      dataResidency: [region],
      network: { ...dev.network, availabilityZones: [`${region}a`, `${region}c`] } as NewNetwork,
      service: { ...dev.service, certificateArn: `arn:aws:acm:${region}:${prod.account}:certificate/1` },
    }
    expect(mistakes(parameter)).toBe('')
    expect(() => synthesize(parameter)).toThrow(/no certificate authority of RDS is known for ap-northeast-9/)
  })

  test('all mistakes are told at once', () => {
    const parameter = withBackup({ retentionDays: 99, copyRegion: 'us-east-1' }, withDatabase({ readers: 0 }))
    expect(mistakes(parameter).split('\n')).toHaveLength(4)
  })
})

describe('environments of one account', () => {
  const account = '111111111111'
  const arn = (region: string) => `arn:aws:acm:${region}:${account}:certificate/1`
  const staging = environments.find(({ environment }) => environment === 'staging') ?? dev
  const beside = (one: EnvironmentParameter): EnvironmentParameter => ({
    ...one,
    account,
    service: { ...one.service, certificateArn: arn('ap-northeast-1'), edgeCertificateArn: arn('us-east-1') },
  })

  test('ours make nothing twice', () => expect(() => checkTogether(environments)).not.toThrow())

  test('two that would both make what an account has once are told apart', () => {
    expect(() => checkTogether([beside(staging), beside(prod)])).toThrow(
      /Akashi staging and Akashi prod both make guardDuty, which an account has once; hint: 'adopt'/,
    )
    const adopting = {
      ...staging,
      security: { ...prod.security, guardDuty: 'adopt' },
    } as EnvironmentParameter
    expect(() => checkTogether([beside(adopting), beside(prod)])).not.toThrow(/guardDuty/)
  })

  test('two with one Glue database', () => {
    const other = { ...dev, project: 'Other' }
    expect(() => checkTogether([dev, other])).toThrow(/both make the Glue database idp_archive_dev/)
    expect(() => checkTogether([dev, { ...other, region: 'ap-northeast-3' }])).not.toThrow()
  })
})

describe('monitoring', () => {
  const withMonitoring = (monitoring: Partial<EnvironmentParameter['monitoring']>) => ({
    ...prod,
    monitoring: { ...prod.monitoring, ...monitoring },
  })

  test.each([
    ['nobody to tell', { emails: [] }, /emails is empty.*hint: the address/],
    ['no address', { emails: ['operators'] }, /'operators' is no e-mail address; hint: name@example.org/],
    ['an address twice', { emails: ['a@example.org', 'a@example.org'] }, /names an address twice/],
    ['a budget of nothing', { budget: 0 }, /budget is 0; hint: US dollars/],
    ['a budget that is no number', { budget: Number.NaN }, /budget is NaN; hint: US dollars/],
  ])('%s', (_, monitoring, message) => {
    expect(mistakes(withMonitoring(monitoring))).toMatch(message)
  })

  test.each([
    [0.5, 4, 823],
    [0.5, 6, 823],
    [0.5, 64, 2_000],
    [1, 16, 3_360],
    [1, 256, 5_000],
    [0, 1, 189],
  ])('of %d to %d capacity units admits %d connections', (minCapacity, maxCapacity, connections) => {
    expect(maxConnections({ minCapacity, maxCapacity })).toBe(connections)
  })
})
