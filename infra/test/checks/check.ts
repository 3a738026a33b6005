import assert from 'node:assert/strict'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import type { Json, Template } from '../support/template.ts'
import { assertSame } from './same.ts'

/** One named assertion about a stack; it throws when the template does not hold it. */
export interface Check {
  readonly name: string
  verify(template: Template, parameter: EnvironmentParameter): void
}

export interface Statement {
  readonly Sid?: string
  readonly Effect?: 'Allow' | 'Deny'
  readonly Principal?: Json
  readonly Action: readonly string[]
  readonly Resource?: Json
  readonly Condition?: Json
}

/** Asserts that a policy says exactly this, whatever the order and whether single values are lists. */
export function assertPolicy(actual: Json, expected: readonly Statement[]): void {
  assert.equal(actual.Version, '2012-10-17')
  const filled = expected.map(({ Effect = 'Allow', ...rest }) => ({ Effect, Resource: '*', ...rest }))
  assertSame(actual.Statement.map(normal), filled.map(normal), 'the policy')
}

function normal({ Action, Resource, Condition, ...rest }: Json): Json {
  return {
    ...rest,
    Action: [Action].flat().toSorted(),
    Resource: Resource === undefined ? undefined : [Resource].flat(),
    Condition: sortedLists(Condition),
  }
}

function sortedLists(condition: Json): Json {
  if (condition === undefined) return undefined
  return Object.fromEntries(
    Object.entries(condition as Record<string, Record<string, Json>>).map(([operator, keys]) => [
      operator,
      Object.fromEntries(Object.entries(keys).map(([key, values]) => [key, [values].flat().toSorted()])),
    ]),
  )
}

/** The account as templates write it: a number, or the account of whoever deploys. */
export function accountOf({ account }: EnvironmentParameter): Json {
  return account ?? { Ref: 'AWS::AccountId' }
}

/** Text with the account in it, as templates write it. */
export function withAccount(parameter: EnvironmentParameter, before: string, after: string): Json {
  const { account } = parameter
  return account === undefined
    ? { 'Fn::Join': ['', [before, { Ref: 'AWS::AccountId' }, after]] }
    : `${before}${account}${after}`
}

export function rootOf(parameter: EnvironmentParameter): Json {
  return { AWS: withAccount(parameter, 'arn:aws:iam::', ':root') }
}

/** Kept when the stack or the resource goes, but not when its first creation fails. */
export function assertKept(resource: { DeletionPolicy?: string; UpdateReplacePolicy?: string }): void {
  assert.equal(resource.DeletionPolicy, 'RetainExceptOnCreate')
  assert.equal(resource.UpdateReplacePolicy, 'Retain')
}

/** Asserts that a resource has these settings and no other, tags aside. */
export function assertSettings(properties: Record<string, Json>, expected: Record<string, Json>): void {
  const { Tags, ...settings } = properties
  assertSame(settings, expected, 'the settings')
}
