import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib/core'
import { addEnvironment } from '../../lib/environment.ts'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { Template } from './template.ts'

const CDK_JSON = join(import.meta.dirname, '../../cdk.json')

/** An app with the feature flags of cdk.json, as the command line makes one. */
export function newApp(): App {
  const { context } = JSON.parse(readFileSync(CDK_JSON, 'utf8'))
  return new App({ context: { ...context, 'aws:cdk:enable-path-metadata': true } })
}

/** The stacks of one environment by the end of their names, such as `Data`, as far as there are any. */
export type Stacks = Readonly<Record<string, Template>>

/** By parameter: many files ask for the same. Whoever changes a template changes it back, or a copy. */
const known = new WeakMap<EnvironmentParameter, Stacks>()

export function synthesize(parameter: EnvironmentParameter): Stacks {
  const found = known.get(parameter) ?? newStacks(parameter)
  known.set(parameter, found)
  return found
}

function newStacks(parameter: EnvironmentParameter): Stacks {
  const app = newApp()
  addEnvironment(app, parameter)
  const stacks: Record<string, Template> = {}
  for (const { stackName, template } of app.synth().stacks) {
    stacks[stackName.split('-').at(-1) ?? ''] = new Template(template, stacks)
  }
  return stacks
}
