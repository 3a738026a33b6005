/** Requests to one operation: one as its schemas want it, and those that differ from it in one place. */
import type { Operation } from '@akashi/contract'
import { z } from 'zod'
import { hostilePieces, hostileTexts, hostileValues } from './hostile.ts'
import { deepArray, deepObject, jsonText } from './json-text.ts'
import { type Known, placesIn, replaced, type Schema, sampleOf, variantsOf } from './sample.ts'
import type { Wire } from './wire.ts'

export interface Target {
  readonly method: string
  /** With `{name}` where a part of the path belongs. */
  readonly path: string
  readonly operation: Pick<Operation, 'params' | 'query' | 'body'>
  /** A body, where the schema of the operation does not say what it is. */
  readonly body?: () => unknown
}

const JSON_TYPE = { 'content-type': 'application/json' }

/** The request as it should be, without and with everything that may be left out. */
export function plainRequests(target: Target, known: Known): Wire[] {
  return [false, true].flatMap((whole) => {
    const { query } = sampled(target, known, whole)
    return bodiesOf(target, known, whole).map((body) =>
      wire(target, pathOf(target, known), queryText(query), body === undefined ? undefined : jsonText(body)),
    )
  })
}

/** In an order that is the same each time. */
export function hostileRequests(target: Target, known: Known): Wire[] {
  const { query } = sampled(target, known, true)
  const documents = bodiesOf(target, known, true)
  const [body] = documents
  const usual: Usual = {
    target,
    known,
    path: pathOf(target, known),
    query,
    text: body === undefined ? undefined : jsonText(body),
  }
  return [
    ...hostilePaths(usual),
    ...hostileQueries(usual),
    ...(target.method === 'GET' ? [] : hostileBodies(usual, documents)),
    ...hostileArrivals(usual),
  ]
}

/** The request as it should be. */
interface Usual {
  readonly target: Target
  readonly known: Known
  readonly path: string
  readonly query: Record<string, unknown>
  readonly text: string | undefined
}

const pieces = () => [...hostilePieces, ...hostileTexts.map(encoded)]

function hostilePaths({ target, known, query, text }: Usual): Wire[] {
  return Object.keys(schemaOf(target.operation.params).properties ?? {}).flatMap((name) =>
    pieces().map((piece) => wire(target, pathOf(target, known, { [name]: piece }), queryText(query), text)),
  )
}

function hostileQueries({ target, path, query, text }: Usual): Wire[] {
  const names = Object.keys(schemaOf(target.operation.query).properties ?? {})
  const queries = names.flatMap((name) => {
    const others = Object.fromEntries(Object.entries(query).filter(([other]) => other !== name))
    return [
      ...pieces().flatMap((piece) => [`${queryText(others)}&${name}=${piece}`, `${name}=${piece}`]),
      `${queryText(query)}&${name}=a&${name}=b&${name}[]=c&${name}[x]=d`,
    ]
  })
  const extra = ['__proto__=1', 'constructor=1', 'toString', '&&&=&=', 'a'.repeat(4_000), '%ff=%fe']
  return [...queries, ...extra.map((each) => `${queryText(query)}&${each}`)].map((each) =>
    wire(target, path, each, text),
  )
}

function hostileBodies({ target, path, query, text }: Usual, documents: readonly unknown[]): Wire[] {
  const withBody = (content: string | Buffer, headers: Record<string, string> = JSON_TYPE): Wire => ({
    ...wire(target, path, queryText(query), undefined),
    headers,
    body: Buffer.from(content),
  })
  const changed = documents.flatMap((document = {}) => [
    ...placesIn(document).flatMap((place) =>
      [...hostileValues, deepArray].map((value) => withBody(jsonText(replaced(document, place, value)))),
    ),
    ...['__proto__', 'constructor', 'unknown', '\0', ''].map((member) =>
      withBody(jsonText(replaced(document, [member], { isAdmin: true }))),
    ),
  ])
  const bytes = Buffer.from(text ?? '{}')
  return [
    ...changed,
    withBody(jsonText(deepObject)),
    withBody('{"a":'),
    withBody(''),
    withBody('null'),
    withBody('\ufeff{}'),
    withBody(Buffer.from([0x22, 0xff, 0xfe, 0x22])),
    withBody(Buffer.concat([Buffer.from('{"reason":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])),
    withBody(bytes, {}),
    withBody(bytes, { 'content-type': 'text/plain' }),
    withBody(bytes, { 'content-type': 'application/json; charset=utf-16' }),
    withBody(bytes, { 'content-type': 'application/x-ndjson' }),
    withBody(bytes, { 'content-type': 'multipart/form-data; boundary=x' }),
    withBody(bytes, { ...JSON_TYPE, 'content-encoding': 'gzip' }),
    withBody(bytes, { ...JSON_TYPE, 'content-encoding': 'br, identity' }),
    withBody(bytes, { ...JSON_TYPE, expect: '100-continue' }),
    { ...withBody(bytes), headers: { ...JSON_TYPE, 'transfer-encoding': 'chunked' } },
  ]
}

const hostileHeaders: readonly Record<string, string>[] = [
  { accept: 'x'.repeat(8_000) },
  { range: 'bytes=9-1' },
  { range: `bytes=0-${'9'.repeat(30)}` },
  { 'if-none-match': '"' },
  { 'x-request-id': "'; select 1" },
  { traceparent: '00-zz' },
  { 'user-agent': '\xff\x7f' },
  { 'x-forwarded-for': 'unknown, [::1%eth0]:9, ,' },
  { 'accept-language': '*;q=nan' },
]

function hostileArrivals({ target, path, query, text }: Usual): Wire[] {
  const usual = wire(target, path, queryText(query), text)
  return [
    ...(['slow', 'cut', 'twice'] as const).map((arrival) => ({ ...usual, arrival })),
    ...hostileHeaders.map((headers) => ({ ...usual, headers: { ...usual.headers, ...headers } })),
    ...['OPTIONS', 'HEAD', 'TRACE', 'PROPFIND'].map((method) => ({ ...usual, method })),
  ]
}

function schemaOf(part: z.ZodType | undefined): Schema {
  return part === undefined
    ? {}
    : (z.toJSONSchema(part, { io: 'input', unrepresentable: 'any' }) as unknown as Schema)
}

function sampled(target: Target, known: Known, whole: boolean): { query: Record<string, unknown> } {
  const query = sampleOf({ type: 'object', ...schemaOf(target.operation.query) }, known, whole)
  return { query: query as Record<string, unknown> }
}

function bodiesOf({ operation: { body }, body: sample }: Target, known: Known, whole: boolean): unknown[] {
  if (sample !== undefined) return [sample()]
  return body === undefined
    ? [undefined]
    : variantsOf(schemaOf(body)).map((variant) => sampleOf(variant, known, whole))
}

function pathOf({ path, operation }: Target, known: Known, changes: Record<string, string> = {}): string {
  const { properties = {} } = schemaOf(operation.params)
  return path.replace('{*}', changes['*'] ?? 'checkpoint').replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const changed = changes[name]
    return changed ?? encoded(String(sampleOf(properties[name] ?? {}, known, true, name)))
  })
}

function queryText(query: Record<string, unknown>): string {
  return Object.entries(query)
    .flatMap(([name, value]) => [value].flat().map((each) => `${name}=${encoded(String(each))}`))
    .join('&')
}

/** Percent-encoded; half of a surrogate pair as the three bytes that UTF-8 does not allow. */
function encoded(text: string): string {
  return [...text]
    .map((character) =>
      character.isWellFormed()
        ? encodeURIComponent(character)
        : `%ed%${(0x80 | ((character.charCodeAt(0) >> 6) & 0x3f)).toString(16)}%${(0x80 | (character.charCodeAt(0) & 0x3f)).toString(16)}`,
    )
    .join('')
}

function wire({ method }: Target, path: string, query: string, body: string | undefined): Wire {
  const target = query === '' ? path : `${path}?${query}`
  return body === undefined
    ? { method, target, headers: {} }
    : { method, target, headers: JSON_TYPE, body: Buffer.from(body) }
}
