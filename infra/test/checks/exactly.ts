import assert from 'node:assert/strict'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { readable } from '../support/readable.ts'
import { type Json, pathOf, type Resource, type Template } from '../support/template.ts'
import { assertKept, type Check } from './check.ts'
import { assertSame } from './same.ts'

type Settings = Record<string, Json> | ((parameter: EnvironmentParameter) => Record<string, Json>)

/** A resource with every setting that it has, tags and texts for people aside. */
export interface ExactCheck extends Check {
  covers(template: Template): Resource[]
}

export function isExact(check: Check): check is ExactCheck {
  return 'covers' in check
}

export interface Extent {
  /** Stays when its stack goes. */
  readonly kept?: true
  /** In which environments it exists; in all, when left out. */
  readonly when?: (parameter: EnvironmentParameter) => boolean
}

/** Texts for people, code named by its digest, and tags, which have a check of their own. */
const ASIDE = new Set([
  'Tags',
  'Description',
  'AlarmDescription',
  'UserPoolTags',
  'FileSystemTags',
  'AccessPointTags',
  'ResourceTags',
  'Code',
])

/** Asserts that the resource at a path has these settings and no other. References are written as `readable` does. */
export function exactly(
  name: string,
  type: string,
  path: string,
  settings: Settings,
  { kept, when = () => true }: Extent = {},
): ExactCheck {
  // The same for every mutation of a template.
  const expected = new WeakMap<EnvironmentParameter, Json>()
  const expectedOf = (template: Template, parameter: EnvironmentParameter): Json => {
    const known = expected.get(parameter)
    if (known !== undefined) return known
    const written = readable(
      template,
      parameter,
      typeof settings === 'function' ? settings(parameter) : settings,
    )
    expected.set(parameter, written)
    return written
  }
  const found = (template: Template) => template.ofType(type).filter((one) => stable(pathOf(one)) === path)
  return {
    name,
    covers: found,
    verify: (template, parameter) => {
      const resources = found(template)
      assert.equal(resources.length, when(parameter) ? 1 : 0, `${type} ${path}`)
      for (const resource of resources) {
        const actual = Object.entries(resource.Properties ?? {}).filter(([key]) => !ASIDE.has(key))
        assertSame(
          readable(template, parameter, Object.fromEntries(actual)),
          expectedOf(template, parameter),
          `${type} ${path}`,
        )
        if (kept) assertKept(resource)
        else {
          for (const policy of [resource.DeletionPolicy, resource.UpdateReplacePolicy]) {
            if (policy !== undefined) assert.equal(policy, 'Delete')
          }
        }
      }
    },
  }
}

/** Asserts that a stack holds no resource but those of the checks. */
export function complete(checks: readonly ExactCheck[]): Check {
  return {
    name: 'resources: those that have a check, and no other',
    verify: (template) => {
      const covered = new Set(checks.flatMap((check) => check.covers(template)))
      const others = Object.values(template.resources).filter((resource) => !covered.has(resource))
      assert.deepEqual(
        others.map((resource) => `${resource.Type} ${pathOf(resource)}`),
        [],
      )
    },
  }
}

/** Rules of security groups have the names of the groups of both ends in theirs, which the CDK makes unique. */
function stable(path: string): string {
  return path.replace(/\b(from|to) \w+?Service(\w+?)[0-9A-F]{8}:/, '$1 $2:')
}
