/** Environments of one account, and those of two projects, are deployed beside each other. */
import { expect, test } from 'vitest'
import type { EnvironmentParameter } from '../lib/parameter.ts'
import { dev, prod } from '../parameter.ts'
import { synthesize } from './support/synthesize.ts'
import { type Json, pathOf } from './support/template.ts'

const ACCOUNT = '111111111111'

/** In one account and region, with everything that an environment can have. */
function inAccount(
  parameter: EnvironmentParameter,
  name: Partial<EnvironmentParameter>,
): EnvironmentParameter {
  const certificate = (region: string) => `arn:aws:acm:${region}:${ACCOUNT}:certificate/1`
  return {
    ...parameter,
    ...name,
    account: ACCOUNT,
    service: {
      ...parameter.service,
      certificateArn: certificate('ap-northeast-1'),
      edgeCertificateArn: certificate('us-east-1'),
    },
  }
}

const archive = (database: string) => ({ archive: { ...prod.archive, database } })
const environments = [
  inAccount(prod, { environment: 'prod' }),
  inAccount(prod, { environment: 'staging', ...archive('idp_archive_staging') }),
  inAccount(prod, { environment: 'prod', project: 'Other', ...archive('other_archive') }),
  inAccount(dev, {}),
]

/** Properties that are no name of the resource in its account and region. */
const NO_NAME: readonly RegExp[] = [
  // Within the resource that they belong to.
  /^AWS::(ApplicationAutoScaling::ScalingPolicy PolicyName|Logs::MetricFilter FilterName)/,
  /^AWS::Glue::Table DatabaseName/,
  /^AWS::IAM::Policy PolicyName/,
  // A kind, or what is used, not made.
  /^AWS::(EC2::EIP Domain|RDS::DBClusterParameterGroup Family|RDS::DBInstance CACertificateIdentifier)/,
  /^AWS::Glue::\w+ CatalogId/,
  /(EngineName|ServiceName|MetricName|RestoreTestingPlanName|HeaderName|DatabaseName|TargetGroupName)$/,
  /^AWS::RDS::DBCluster EngineVersion/,
]

/** `type property value` of each name that a template gives. */
function namesOf(parameter: EnvironmentParameter): Map<string, string> {
  const names = new Map<string, string>()
  for (const [stack, template] of Object.entries(synthesize(parameter))) {
    for (const resource of Object.values(template.resources)) {
      const { DatabaseInput, Budget, BackupPlan, ...settings } = resource.Properties ?? {}
      // Three types have their name one level deeper.
      for (const [property, value] of Object.entries<Json>({
        ...settings,
        ...DatabaseInput,
        ...Budget,
        ...BackupPlan,
      })) {
        const nameOf = `${resource.Type} ${property}`
        if (!/(Name|Identifier|Id|Domain|Family)$/.test(property) || typeof value !== 'string') continue
        if (NO_NAME.some((pattern) => pattern.test(nameOf))) continue
        names.set(`${nameOf} ${value}`, `${stack} ${pathOf(resource)}`)
      }
    }
  }
  return names
}

test('no two of them make a resource of the same name', () => {
  const seen = new Map<string, string>()
  const twice: string[] = []
  for (const parameter of environments) {
    for (const [name, path] of namesOf(parameter)) {
      if (seen.has(name)) twice.push(`${name} (${path})`)
      seen.set(name, path)
    }
  }
  expect(twice).toEqual([])
  expect(seen.size).toBeGreaterThan(300)
})
