import { AuroraPostgresEngineVersion } from 'aws-cdk-lib/aws-rds'
import { describe, expect, test } from 'vitest'
import { checkParameter, regionsOf } from '../lib/check-parameter.ts'
import { maxConnections } from '../lib/max-connections.ts'
import type { EnvironmentParameter, NewNetwork } from '../lib/parameter.ts'
import { dev, environments, prod } from '../parameter.ts'
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

  test('all mistakes are told at once', () => {
    const parameter = withBackup({ retentionDays: 99, copyRegion: 'us-east-1' }, withDatabase({ readers: 0 }))
    expect(mistakes(parameter).split('\n')).toHaveLength(4)
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
