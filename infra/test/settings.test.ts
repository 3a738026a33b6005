/** Every check holds in every environment, and in those that use what the three do not. */
import { describe, test } from 'vitest'
import type { EnvironmentParameter } from '../lib/parameter.ts'
import { environments, prod } from '../parameter.ts'
import { checks } from './checks/index.ts'
import { synthesize } from './support/synthesize.ts'

const variants: Readonly<Record<string, EnvironmentParameter>> = {
  ...Object.fromEntries(environments.map((parameter) => [parameter.environment, parameter])),
  'an organisation': { ...prod, organizationId: 'o-a1b2c3d4e5' },
  'no way to the Internet': {
    ...prod,
    network: { ...prod.network, natGateways: 0, endpointZones: 2 } as never,
    service: { ...prod.service, edgeCertificateArn: undefined },
  },
  'advanced Database Insights': { ...prod, database: { ...prod.database, insights: 'advanced' } },
  'an account that is watched already': {
    ...prod,
    security: {
      securityHub: 'adopt',
      guardDuty: 'adopt',
      config: 'adopt',
      cloudTrail: 'adopt',
      accessAnalyzer: 'adopt',
    },
  },
  'a Global Database': { ...prod, database: { ...prod.database, globalRegions: ['ap-northeast-3'] } },
}

for (const [name, parameter] of Object.entries(variants)) {
  describe(name, () => {
    const stacks = synthesize(parameter)
    for (const [stack, template] of Object.entries(stacks)) {
      test.each(checks[stack] ?? [])('$name', ({ verify }) => verify(template, parameter))
    }
  })
}
