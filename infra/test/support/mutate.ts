import { type Json, pathOf, type Resource, type Template } from './template.ts'

/** One change of a template, which can be undone. */
export interface Mutation {
  /** `path of the resource: Properties/…` */
  readonly path: string
  readonly what: string
  /** Of which it is a setting. */
  readonly resource?: Resource
  apply(): void
  undo(): void
}

const INTRINSICS = [
  'Ref',
  'Fn::GetAtt',
  'Fn::Join',
  'Fn::Sub',
  'Fn::Select',
  'Fn::GetAZs',
  'Fn::GetStackOutput',
]
/** Pages for people, of thousands of settings. */
const NOT_INSIDE = new Set(['DashboardBody'])
/** The parts of a resource that change what is deployed. */
const PARTS = ['Properties', 'DeletionPolicy', 'UpdateReplacePolicy', 'DependsOn'] as const

/** A statement that gives everybody everything. */
const OPEN_STATEMENT = { Effect: 'Allow', Principal: { AWS: '*' }, Action: '*', Resource: '*' }

/**
 * Every single change of every setting of every resource: altered, removed, and lists widened. With `about`, only of those
 * resources.
 */
export function* mutationsOf(template: Template, about?: readonly Resource[]): Generator<Mutation> {
  for (const [id, resource] of Object.entries(template.resources)) {
    if (about?.includes(resource) === false) continue
    const path = `${pathOf(resource)} (${resource.Type}):`
    for (const part of PARTS) {
      if (resource[part] === undefined) continue
      for (const mutation of mutationsAt(resource, part, `${path} ${part}`)) yield { ...mutation, resource }
    }
    yield { ...removal(template.resources as Json, id, path), resource }
  }
}

function* mutationsAt(parent: Json, key: string | number, path: string): Generator<Mutation> {
  const value = parent[key]
  yield removal(parent, key, path)
  if (Array.isArray(value)) {
    yield replacement(parent, key, path, 'widened', [...value, widening(value)])
    for (const index of value.keys())
      yield* mutationsAt(value, index, `${path}/${value[index]?.Key ?? index}`)
    return
  }
  if (typeof value === 'object' && value !== null && !isIntrinsic(value)) {
    for (const name of Object.keys(value)) yield* mutationsAt(value, name, `${path}/${name}`)
    return
  }
  for (const altered of alterations(value)) {
    yield replacement(parent, key, path, `→ ${JSON.stringify(altered)}`, altered)
  }
  yield* mutationsInText(parent, key, path)
}

/** Text that is JSON with references in it, such as the definition of a state machine: changes inside it. */
function* mutationsInText(parent: Json, key: string | number, path: string): Generator<Mutation> {
  const parts: Json[] | undefined = parent[key]?.['Fn::Join']?.[1]
  if (parts === undefined || !isJson(parts) || NOT_INSIDE.has(String(key))) return
  const text = parts.map((part, index) => (typeof part === 'string' ? part : `<${index}>`)).join('')
  const inside = { content: JSON.parse(text) }
  for (const mutation of mutationsAt(inside, 'content', path)) {
    mutation.apply()
    const altered = (JSON.stringify(inside.content) ?? '')
      .split(/(<\d+>)/)
      .map((part) => (/^<\d+>$/.test(part) ? parts[Number(part.slice(1, -1))] : part))
    mutation.undo()
    yield replacement(parent, key, mutation.path, mutation.what, { 'Fn::Join': ['', altered] })
  }
}

function alterations(value: Json): Json[] {
  switch (typeof value) {
    case 'boolean':
      return [!value]
    case 'number':
      return [value - 1, value + 1]
    case 'string':
      return [`${value}x`, '*'].filter((altered) => altered !== value)
    default:
      return [{ Ref: 'Altered' }, ...joinedAlterations(value)]
  }
}

/** Text with references in it: each literal part altered. */
function joinedAlterations(value: Json): Json[] {
  const parts = value?.['Fn::Join']?.[1]
  if (!Array.isArray(parts) || isJson(parts)) return []
  return parts.flatMap((part, index) =>
    typeof part === 'string' ? [{ 'Fn::Join': ['', parts.with(index, `${part}x`)] }] : [],
  )
}

function isJson([first]: Json[]): boolean {
  return String(first).startsWith('{"')
}

function widening(list: Json[]): Json {
  const [first] = list
  if (first?.Effect !== undefined) return OPEN_STATEMENT
  return typeof first === 'string' ? '*' : structuredClone(first)
}

function isIntrinsic(value: object): boolean {
  const names = Object.keys(value)
  return names.length === 1 && INTRINSICS.includes(names[0] ?? '')
}

function replacement(
  parent: Json,
  key: string | number,
  path: string,
  what: string,
  altered: Json,
): Mutation {
  const before = parent[key]
  return {
    path,
    what,
    apply: () => {
      parent[key] = altered
    },
    undo: () => {
      parent[key] = before
    },
  }
}

function removal(parent: Json, key: string | number, path: string): Mutation {
  if (Array.isArray(parent)) {
    const before = parent[key as number]
    return {
      path,
      what: 'removed',
      apply: () => parent.splice(key as number, 1),
      undo: () => parent.splice(key as number, 0, before),
    }
  }
  // Order is kept, so that undoing gives back the very same template.
  const entries: [string, Json][] = Object.entries(parent)
  return {
    path,
    what: 'removed',
    apply: () => {
      delete parent[key]
    },
    undo: () => {
      for (const [name] of entries) delete parent[name]
      Object.assign(parent, Object.fromEntries(entries))
    },
  }
}
