import { type App, CfnResource, type Environment, type Stack, TagManager, Tags } from 'aws-cdk-lib/core'
import { checkParameter } from './check-parameter.ts'
import { environmentName } from './names.ts'
import type { EnvironmentParameter } from './parameter.ts'
import { ArchiveStack } from './stack/archive-stack.ts'
import { DataStack } from './stack/data-stack.ts'
import { ImagesStack } from './stack/images-stack.ts'
import { MonitoringStack } from './stack/monitoring-stack.ts'
import { RecoveryStack } from './stack/recovery-stack.ts'
import { SecurityStack } from './stack/security-stack.ts'
import { ServiceStack } from './stack/service-stack.ts'
import { WitnessStack } from './stack/witness-stack.ts'

const UNTYPED_BUT_TAGGABLE = new Set(['AWS::IAM::Role', 'AWS::Lambda::Function'])

/** Adds the stacks of one environment. Throws when its parameter is wrong. */
export function addEnvironment(app: App, parameter: EnvironmentParameter): DataStack {
  checkParameter(parameter)
  const { project, environment, region, account, backup } = parameter
  const id = `${project}-${environment}`
  const data = new DataStack(app, `${id}-Data`, {
    description: `${project} ${environment}: network, keys, database and backups`,
    env: { region, account },
    terminationProtection: true,
    parameter,
  })
  const recovery = (suffix: string, where: string, env: Environment, copiesFrom?: string): RecoveryStack => {
    const stack = new RecoveryStack(app, `${id}-${suffix}`, {
      description: `${project} ${environment}: copies of the backups in ${where}`,
      env,
      terminationProtection: true,
      project,
      name: environmentName(parameter),
      retentionDays: backup.retentionDays,
      copiesFrom,
    })
    data.addStackDependency(stack)
    return stack
  }
  const { copyRegion, copyAccount } = backup
  const archive = new ArchiveStack(app, `${id}-Archive`, {
    description: `${project} ${environment}: object store, tables and queries`,
    env: { region, account },
    terminationProtection: true,
    parameter,
    keyArn: data.keys.archive.keyArn,
  })
  const images = new ImagesStack(app, `${id}-Images`, {
    description: `${project} ${environment}: repository of the image`,
    env: { region, account },
    terminationProtection: true,
    project,
    name: environmentName(parameter),
    collector: parameter.service.tracing !== undefined,
  })
  const service = new ServiceStack(app, `${id}-Service`, {
    description: `${project} ${environment}: tasks, load balancer, sign-in`,
    env: { region, account },
    terminationProtection: true,
    parameter,
    data,
    images,
  })
  // The worker writes into both from its first minute.
  const witness = witnessOf(app, parameter)
  for (const stack of [archive, ...witness]) service.addStackDependency(stack)
  const monitoring = new MonitoringStack(app, `${id}-Monitoring`, {
    description: `${project} ${environment}: alarms, notices, dashboard, budget`,
    env: { region, account },
    terminationProtection: true,
    parameter,
    crossCheck: data.database.crossCheck,
    balancer: service.balancer,
  })
  const stacks = [
    data,
    archive,
    images,
    service,
    monitoring,
    ...witness,
    ...securityOf(app, parameter, data),
    ...(copyRegion === undefined
      ? []
      : [recovery('RecoveryRegion', 'another region', { region: copyRegion, account })]),
    ...(copyAccount === undefined
      ? []
      : [recovery('RecoveryAccount', 'another account', { region, account: copyAccount }, account)]),
  ]
  for (const stack of stacks) tagEverything(stack, tagsOf(parameter))
  return data
}

function witnessOf(app: App, parameter: EnvironmentParameter): Stack[] {
  const { project, environment, region, account, archive } = parameter
  const { witnessAccount, lock } = archive
  if (witnessAccount === undefined || account === undefined) return []
  return [
    new WitnessStack(app, `${project}-${environment}-Witness`, {
      description: `${project} ${environment}: copies of the sealed logs in another account`,
      env: { region, account: witnessAccount },
      terminationProtection: true,
      project,
      name: environmentName(parameter),
      account: witnessAccount,
      writer: account,
      lock,
    }),
  ]
}

/** Deployed before the audits of backups, which need the recorder of AWS Config. */
function securityOf(app: App, parameter: EnvironmentParameter, data: DataStack): Stack[] {
  const { project, environment, region, account, security } = parameter
  if (security === undefined) return []
  const stack = new SecurityStack(app, `${project}-${environment}-Security`, {
    description: `${project} ${environment}: Security Hub, GuardDuty, Config, CloudTrail, Access Analyzer`,
    env: { region, account },
    terminationProtection: true,
    parameter,
    security,
  })
  data.addStackDependency(stack)
  return [stack]
}

function tagsOf({ project, environment }: EnvironmentParameter): Record<string, string> {
  return {
    Project: project,
    Environment: environment,
    DataClassification: 'internal',
    BackupRequired: 'true',
    Encrypted: 'true',
  }
}

function tagEverything(stack: Stack, tags: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(tags)) Tags.of(stack).add(key, value)
  // What the CDK makes for its own use is out of the reach of its Tags.
  for (const resource of stack.node.findAll()) {
    if (!CfnResource.isCfnResource(resource) || TagManager.isTaggable(resource)) continue
    if (!UNTYPED_BUT_TAGGABLE.has(resource.cfnResourceType)) continue
    resource.addPropertyOverride(
      'Tags',
      Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
    )
  }
}
