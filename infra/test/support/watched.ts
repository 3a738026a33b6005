import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { isExact } from '../checks/exactly.ts'
import { type Check, checks } from '../checks/index.ts'
import { mutationsOf } from './mutate.ts'
import type { Stacks } from './synthesize.ts'
import type { Resource, Template } from './template.ts'

interface Environment {
  readonly parameter: EnvironmentParameter
  readonly stacks: Stacks
}

/** By check: some are asked for by several items. */
const known = new Map<Check, readonly string[]>()

/** The settings whose change makes a check fail, as `stack path: setting`, in the first environment that has any. */
export function watchedBy(check: Check, environments: readonly Environment[]): readonly string[] {
  const found = known.get(check) ?? search(check, environments)
  known.set(check, found)
  return found
}

function search(check: Check, environments: readonly Environment[]): readonly string[] {
  for (const { parameter, stacks } of environments) {
    for (const [stack, template] of Object.entries(stacks)) {
      if (!checks[stack]?.includes(check)) continue
      const settings = settingsOf(check, template, parameter)
      if (settings.length > 0) return settings.map((setting) => `${stack} ${setting}`)
    }
  }
  return []
}

function settingsOf(check: Check, template: Template, parameter: EnvironmentParameter): string[] {
  const fails = (): boolean => {
    try {
      check.verify(template, parameter)
      return false
    } catch {
      return true
    }
  }
  const settings = (about: readonly Resource[]): Set<string> => {
    const found = new Set<string>()
    for (const mutation of mutationsOf(template, about)) {
      if (found.has(mutation.path)) continue
      mutation.apply()
      if (fails()) found.add(mutation.path)
      mutation.undo()
    }
    return found
  }
  // What a check is about is what it misses; one that only asks what is there is tried on everything.
  const about = isExact(check) ? check.covers(template) : missedBy(fails, template)
  const found = settings(about)
  return [...(found.size > 0 ? found : settings(Object.values(template.resources)))]
}

function missedBy(fails: () => boolean, template: Template): Resource[] {
  const { Resources } = template.json
  return Object.entries<Resource>(Resources).flatMap(([id, resource]) => {
    template.json.Resources = Object.fromEntries(Object.entries(Resources).filter(([other]) => other !== id))
    const missed = fails()
    template.json.Resources = Resources
    return missed ? [resource] : []
  })
}
