/**
 * Mutates every setting of every resource, one at a time, and asks which check fails. A setting whose mutations
 * survive must be on the list of those that protect nothing, with the reason.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { EnvironmentParameter } from '../lib/parameter.ts'
import { dev, prod } from '../parameter.ts'
import { type ExactCheck, isExact } from './checks/exactly.ts'
import { type Check, checks } from './checks/index.ts'
import { type Mutation, mutationsOf } from './support/mutate.ts'
import { synthesize } from './support/synthesize.ts'
import type { Resource, Template } from './support/template.ts'
import { unprotected } from './unprotected.ts'

/** Each setting with the checks that fail when it changes; written for people. */
const LIST = join(import.meta.dirname, '../coverage/settings.txt')
const killedBy = new Map<string, Set<string>>()
const used = new Set<RegExp>()

/**
 * Finds a check that fails, beginning with the one that is about the mutated resource alone, then with the one that
 * failed for the mutation before.
 */
class CheckRunner {
  private readonly ordered: Check[]
  private readonly about = new Map<Resource, ExactCheck>()
  private readonly template: Template
  private readonly parameter: EnvironmentParameter

  constructor(all: readonly Check[], template: Template, parameter: EnvironmentParameter) {
    this.ordered = [...all]
    this.template = template
    this.parameter = parameter
    for (const check of all.filter(isExact)) {
      for (const resource of check.covers(template)) this.about.set(resource, check)
    }
  }

  /** The name of a check that fails, undefined when all hold. */
  firstFailure({ resource }: Mutation): string | undefined {
    const about = resource === undefined ? undefined : this.about.get(resource)
    if (about !== undefined && !holds(about, this.template, this.parameter)) return about.name
    const index = this.ordered.findIndex((check) => !holds(check, this.template, this.parameter))
    if (index === -1) return undefined
    const [found] = this.ordered.splice(index, 1) as [Check]
    this.ordered.unshift(found)
    return found.name
  }
}

function holds({ verify }: Check, template: Template, parameter: EnvironmentParameter): boolean {
  try {
    verify(template, parameter)
    return true
  } catch {
    return false
  }
}

function isUnprotected({ path }: Mutation): boolean {
  const reason = unprotected.find(({ setting }) => setting.test(path))
  if (reason !== undefined) used.add(reason.setting)
  return reason !== undefined
}

for (const parameter of [prod, dev]) {
  const stacks = synthesize(parameter)
  describe(parameter.environment, () => {
    test.each(Object.keys(stacks))('%s: no mutation survives', (stack) => {
      const template = stacks[stack] as Template
      const before = JSON.stringify(template.json)
      const runner = new CheckRunner(checks[stack] ?? [], template, parameter)
      const survivors: string[] = []
      for (const mutation of mutationsOf(template)) {
        mutation.apply()
        const name = runner.firstFailure(mutation)
        mutation.undo()
        if (name === undefined && !isUnprotected(mutation))
          survivors.push(`${mutation.path} ${mutation.what}`)
        const setting = `${stack} ${mutation.path}`
        killedBy.set(setting, (killedBy.get(setting) ?? new Set()).add(name ?? 'protects nothing'))
      }
      expect(survivors).toEqual([])
      expect(JSON.stringify(template.json)).toBe(before)
    })
  })
}

test('everything on the list of unprotected settings is there, and unprotected', () => {
  expect(unprotected.filter(({ setting }) => !used.has(setting))).toEqual([])
})

afterAll(() => {
  const lines = [...killedBy].map(
    ([setting, names]) => `${setting}\n${[...names].map((name) => `    ${name}\n`).join('')}`,
  )
  mkdirSync(join(LIST, '..'), { recursive: true })
  writeFileSync(LIST, lines.join(''))
})
