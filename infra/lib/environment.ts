import { type App, CfnResource, type Environment, type Stack, TagManager, Tags } from 'aws-cdk-lib/core'
import { checkParameter } from './check-parameter.ts'
import { environmentName } from './names.ts'
import type { EnvironmentParameter } from './parameter.ts'
import { DataStack } from './stack/data-stack.ts'
import { RecoveryStack } from './stack/recovery-stack.ts'

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
  const stacks = [
    data,
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
