/** Compares the objects of a database with those that the program ships. */
import type { CatalogObject, Properties } from './catalog.ts'
import type { Manifest } from './manifest.ts'

export interface Difference {
  /** Name of the object, with its kind: `function akashi_audit.guard(target regclass)`. */
  readonly object: string
  readonly detail: string
}

/** Properties of a parent that its partitions share, by kind. */
const INHERITED: Readonly<Record<string, readonly string[]>> = {
  relation: ['owner', 'access', 'persistence', 'identity', 'row security'],
  column: ['type', 'required', 'collation', 'generated', 'default'],
}

/** Longest value that is shown. */
const SHOWN_CHARACTERS = 120

/** PostgreSQL 16, the first that has SYSTEM_USER, as `server_version_num`. */
const WITH_SYSTEM_USER = 160_000

/** PostgreSQL 18, for which the manifest was written. */
const OF_MANIFEST = 180_000

/**
 * What is different, missing or new.
 *
 * @param version `server_version_num`
 */
export function compareCatalog(
  objects: readonly CatalogObject[],
  manifest: Manifest,
  version: number,
): Difference[] {
  const found: Difference[] = []
  const seen = new Set<string>()
  for (const object of objects) {
    const { kind, name, properties } = object
    if (object.root !== null) continue
    seen.add(`${kind} ${name}`)
    const expected = manifest[kind]?.[name]
    if (expected !== undefined) {
      const differing = differences(
        usual(onVersion(properties, version)),
        usual(onVersion(expected, version)),
      )
      if (differing !== '') found.push({ object: `${kind} ${name}`, detail: differing })
    } else if (!isDetached(object)) {
      found.push({ object: `${kind} ${name}`, detail: 'the program knows no such object' })
    }
  }
  for (const [kind, names] of Object.entries(manifest)) {
    for (const name of Object.keys(names)) {
      if (!seen.has(`${kind} ${name}`)) found.push({ object: `${kind} ${name}`, detail: 'it is missing' })
    }
  }
  return [...found, ...comparePartitions(objects), ...compareDetached(objects)]
}

/** '' where both are the same. */
export function differences(actual: Properties, expected: Properties): string {
  const names = [...new Set([...Object.keys(actual), ...Object.keys(expected)])].sort()
  return names
    .filter((name) => actual[name] !== expected[name])
    .map((name) => `its ${name} is ${shown(actual[name])}, the program's is ${shown(expected[name])}`)
    .join('; ')
}

function shown(value: string | undefined): string {
  if (value === undefined) return 'none'
  return value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value
}

/** The server's own function for ids, if it has one, is equivalent to Akashi's. */
function usual(properties: Properties): Properties {
  return properties['default'] === 'akashi_audit.uuid_v7()'
    ? { ...properties, default: 'uuidv7()' }
    : properties
}

/** Versions print a query differently: its exact text is compared where the manifest was written. */
function onVersion(properties: Properties, version: number): Properties {
  const { printed, ...rest } = properties
  const comparable = version >= OF_MANIFEST || printed === undefined ? properties : rest
  if (version >= WITH_SYSTEM_USER || comparable['default'] !== 'SYSTEM_USER') return comparable
  const { default: _, ...others } = comparable
  return others
}

/** Whether it belongs to a detached partition. */
function isDetached({ relation }: CatalogObject): boolean {
  return relation?.startsWith('akashi_archive.') === true
}

/** A partition must match its parent: every column, constraint, index and trigger, and nothing else. */
function comparePartitions(objects: readonly CatalogObject[]): Difference[] {
  const byRelation = new Map<string, CatalogObject[]>()
  for (const object of objects) {
    if (object.relation === null) continue
    const own = byRelation.get(object.relation)
    if (own === undefined) byRelation.set(object.relation, [object])
    else own.push(object)
  }
  return objects
    .filter(({ kind, root }) => kind === 'relation' && root !== null)
    .flatMap(({ name, root }) => [
      ...comparePartition(name, byRelation.get(name) ?? [], byRelation.get(root ?? '') ?? []),
    ])
}

function* comparePartition(
  partition: string,
  own: readonly CatalogObject[],
  parents: readonly CatalogObject[],
): Generator<Difference> {
  const kinds = ['relation', 'column', 'constraint', 'index', 'trigger', 'rule', 'policy']
  for (const kind of kinds) {
    const expected = kind === 'policy' ? [] : parents.filter((object) => object.kind === kind)
    const actual = own.filter((object) => object.kind === kind)
    const left = new Map(actual.map((object) => [keyOf(object, false), object]))
    for (const object of expected) {
      const key = keyOf(object, true)
      const counterpart = left.get(key)
      left.delete(key)
      if (counterpart === undefined) {
        yield {
          object: `${kind} ${partition}`,
          detail: `the partition lacks what its parent has: ${object.name}`,
        }
        continue
      }
      const keys = INHERITED[kind]
      const differing = differences(select(counterpart.properties, keys), select(object.properties, keys))
      if (differing !== '')
        yield {
          object: `${kind} ${counterpart.name}`,
          detail: differing.replaceAll("the program's", "its parent's"),
        }
    }
    for (const object of left.values()) {
      // A search index of a closed partition; a unique one could refuse rows.
      if (kind === 'index' && object.properties['unique'] === undefined) continue
      yield { object: `${kind} ${object.name}`, detail: "the partition's parent has no such object" }
    }
  }
}

/** The properties by which an object of a partition matches one of its parent. */
function keyOf({ kind, name, relation, properties }: CatalogObject, ofParent: boolean): string {
  if (kind === 'relation') return ''
  if (kind === 'constraint') return properties['definition'] ?? ''
  const own = name.slice((relation ?? '').length + 1)
  if (kind === 'index')
    return ofParent ? `${relation?.split('.')[0]}.${own}` : (properties['parent'] ?? ` ${own}`)
  return own
}

function select(properties: Properties, names: readonly string[] | undefined): Properties {
  const { parent: _, ...rest } = usual(properties)
  if (names === undefined) return rest
  return Object.fromEntries(Object.entries(rest).filter(([name]) => names.includes(name)))
}

/** Detached partitions refuse every change, and run no code of others. */
function compareDetached(objects: readonly CatalogObject[]): Difference[] {
  const found: Difference[] = []
  for (const object of objects) {
    if (!isDetached(object) || object.root !== null) continue
    const { kind, name, properties } = object
    if (kind === 'relation') {
      if (properties['owner'] !== 'akashi_owner')
        found.push({ object: `${kind} ${name}`, detail: `its owner is ${properties['owner']}` })
      for (const trigger of ['refuse_change', 'refuse_insert']) {
        const guard = objects.find((each) => each.kind === 'trigger' && each.name === `${name} ${trigger}`)
        if (
          guard?.properties['enabled'] !== 'A' ||
          guard.properties['function'] !== 'akashi_audit.refuse_change()'
        )
          found.push({ object: `trigger ${name} ${trigger}`, detail: 'it does not refuse changes' })
      }
    } else if (kind === 'rule')
      found.push({ object: `${kind} ${name}`, detail: 'an archived table has no rules' })
  }
  return found
}
