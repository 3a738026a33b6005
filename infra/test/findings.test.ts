/** cdk-nag (AWS Solutions, NIST 800-53 r5) and the CDK's own validation find nothing that is not acknowledged. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type App, Stack, Validations } from 'aws-cdk-lib/core'
import { AwsSolutionsChecks, NIST80053R5Checks } from 'cdk-nag'
import type { IConstruct } from 'constructs'
import { describe, expect, test, vi } from 'vitest'
import { addEnvironment } from '../lib/environment.ts'
import { environments, prod } from '../parameter.ts'
import { existingNetwork } from './support/existing-network.ts'
import { newApp } from './support/synthesize.ts'

interface Acknowledgement {
  readonly path: string
  readonly rule: string
  readonly reason: string
}

const acknowledged: Acknowledgement[] = []
let apply = true

// What is acknowledged is noted, and can be left out to see what would be found.
vi.mock('../lib/acknowledge.ts', () => ({
  acknowledge: (resource: IConstruct, reasons: Record<string, string>) => {
    for (const [id, reason] of Object.entries(reasons)) {
      acknowledged.push({ path: resource.node.path, rule: id, reason })
      expect(Stack.isStack(resource)).toBe(false)
      if (apply) Validations.of(resource).acknowledge({ id, reason })
    }
  },
}))

/** The three environments, and one in a network that exists. */
function build(): App {
  const app = newApp()
  const existing = { ...prod, project: 'Existing', network: existingNetwork }
  for (const parameter of [...environments, existing]) addEnvironment(app, parameter)
  return app
}

/** `path rule` of everything that the two packs find. */
function findings(app: App): { path: string; rule: string }[] {
  return [new AwsSolutionsChecks(app), new NIST80053R5Checks(app)].flatMap((pack) =>
    pack
      .validateScope(app)
      .violations.flatMap(({ ruleName, violatingResources }) =>
        violatingResources.map(({ constructPath }) => ({ path: constructPath ?? '', rule: ruleName })),
      ),
  )
}

/** An acknowledgement covers the resource it was made on, and the one that a construct is made of. */
function covers({ path, rule }: Acknowledgement, finding: { path: string; rule: string }): boolean {
  return rule === finding.rule && (finding.path === path || finding.path === `${path}/Resource`)
}

describe('findings', () => {
  const app = build()
  const reasons = acknowledged.map(({ reason }) => reason)

  test('none by AWS Solutions and NIST 800-53 r5', () => {
    expect(findings(app)).toEqual([])
  })

  test('each acknowledgement covers a finding on its own resource, and none covers more', () => {
    acknowledged.length = 0
    apply = false
    const found = findings(build())
    const nag = acknowledged.filter(({ rule }) => /^(AwsSolutions|NIST)/.test(rule))
    const onlyByOne = found.filter((finding) => nag.filter((one) => covers(one, finding)).length !== 1)
    expect(onlyByOne).toEqual([])
    const rules = new Set(nag.map(({ path, rule }) => `${path.replace(/^\w+-\w+-/, '')} ${rule}`))
    const needed = new Set(
      nag
        .filter((one) => found.some((finding) => covers(one, finding)))
        .map(({ path, rule }) => `${path.replace(/^\w+-\w+-/, '')} ${rule}`),
    )
    expect([...rules].filter((rule) => !needed.has(rule))).toEqual([])
    expect(found.length).toBeGreaterThan(0)
  })

  test('each acknowledgement gives a reason', () => {
    expect(reasons.length).toBeGreaterThan(0)
    for (const reason of reasons) expect(reason).toMatch(/^.{30,}\.$/)
  })

  test('none by the validation of the CDK, and no warning', () => {
    const { directory, stacks } = app.synth()
    const { pluginReports } = JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8'))
    expect(pluginReports.flatMap(({ violations }: { violations: unknown[] }) => violations)).toEqual([])
    const suppressed = pluginReports.flatMap(
      (report: { suppressedViolations?: { ruleName: string }[] }) => report.suppressedViolations ?? [],
    )
    const rules = new Set(suppressed.map(({ ruleName }: { ruleName: string }) => ruleName))
    expect([...rules].toSorted()).toEqual(['E1029', 'W3010', 'W9003'])
    expect(stacks.flatMap(({ messages }) => messages)).toEqual([])
  })
})
