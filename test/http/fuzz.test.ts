/**
 * Every operation of the contract with what no client should send: wrong types and sizes, other encodings, deep JSON,
 * keys of the prototype. Whatever comes back is no fault of the server, and it comes in time.
 */
import { randomUUID } from 'node:crypto'
import { type Operation, operations } from '@akashi/contract'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { testDatabase } from '../support/index.ts'
import { testCallers } from './callers.ts'

const { again, origin } = testCallers(testDatabase())
/** Milliseconds within which every answer comes. */
const LONGEST_MS = 20_000
const DEEP = 400_000
const FAULT = 500

interface JsonSchema {
  readonly type?: string
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly minimum?: number
  readonly minLength?: number
}

/** A value that has the form of the schema. */
function sample(schema: JsonSchema): unknown {
  const [first] = schema.anyOf ?? schema.oneOf ?? []
  if (first !== undefined) return sample(first)
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, of]) => [name, sample(of)]),
      )
    case 'array':
      return schema.items === undefined ? [] : [sample(schema.items)]
    case 'integer':
    case 'number':
      return schema.minimum ?? 1
    case 'boolean':
      return true
    case 'null':
      return null
    case 'string':
      if (schema.format === 'uuid') return randomUUID()
      return schema.format === 'date-time'
        ? new Date().toISOString()
        : 'a'.repeat(Math.max(3, schema.minLength ?? 0))
    default:
      return 'x'
  }
}

const odd: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  0.5,
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\u202e\u200b',
  'あ'.repeat(5_000),
  "'; drop table users; --",
  '%00',
  '../../etc/passwd',
  '9999-99-99T99:99:99Z',
  '00000000-0000-0000-0000-000000000000',
  [],
  {},
  [[[]]],
  ['__proto__'],
  { constructor: { prototype: { isAdmin: true } } },
]

const schemaOf = (of: z.ZodType): JsonSchema =>
  z.toJSONSchema(of, { io: 'input', unrepresentable: 'any' }) as JsonSchema

/** Bodies as they are sent: first the right form, then one member after the other replaced, then what is no form. */
function bodiesOf({ body }: Operation): { readonly text: string | Uint8Array; readonly type: string }[] {
  const json = (value: unknown) => ({ text: JSON.stringify(value) ?? '', type: 'application/json' })
  const right = body === undefined ? {} : sample(schemaOf(body))
  const members = typeof right === 'object' && right !== null ? Object.keys(right) : []
  const replaced = members.flatMap((name, at) =>
    odd
      .filter((_, i) => i % members.length === at % members.length || members.length < 4)
      .map((value) => json({ ...(right as object), [name]: value })),
  )
  return [
    json(right),
    ...replaced,
    ...[null, [], 'text', 1].map(json),
    { text: '{"__proto__": {"reason": "x"}, "constructor": 1}', type: 'application/json' },
    { text: '['.repeat(DEEP) + ']'.repeat(DEEP), type: 'application/json' },
    { text: `{"a":${'{"a":'.repeat(DEEP / 4)}1${'}'.repeat(DEEP / 4)}}`, type: 'application/json' },
    { text: '{"a":', type: 'application/json' },
    {
      text: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
      type: 'application/json; charset=utf-16',
    },
    { text: '', type: 'application/json' },
    { text: 'a=1', type: 'application/x-www-form-urlencoded' },
    { text: '<a/>', type: 'text/xml' },
  ]
}

const partsOdd = [
  '%',
  '%00',
  '%ED%A0%80',
  '..%2f..%2f',
  '__proto__',
  'a'.repeat(3_000),
  '%F0%9F%91%8D',
  randomUUID(),
]

/** Paths with their parameters and queries replaced. */
function pathsOf(path: string, { query }: Operation): string[] {
  const fill = (value: string) => path.replaceAll(/\{[^}]+\}/g, value)
  const names = query === undefined ? [] : Object.keys(schemaOf(query).properties ?? {})
  const queries = [
    'x=1',
    '__proto__[a]=1',
    ...names.flatMap((name) =>
      ['', '-1', '%00', '%ED%A0%80', '1e400', 'あ', 'a'.repeat(2_000)].map((value) => `${name}=${value}`),
    ),
    ...names.map((name) => `${name}=1&${name}=2`),
  ]
  const plain = fill(randomUUID())
  return [...new Set([...partsOdd.map(fill), ...queries.map((text) => `${plain}?${text}`)])]
}

/** Ends the caller's session, so that nothing else would be tried. */
const skipped = new Set(['DELETE /v1/session', 'DELETE /v1/me/sessions'])

const tried = Object.entries(operations as Readonly<Record<string, Operation>>).filter(
  ([name]) => !skipped.has(name),
)

describe('nothing that is sent makes the server fail', () => {
  it.each(tried)(
    '%s',
    async (name, operation) => {
      const [method = '', path = ''] = name.split(' ')
      const caller = await again('sys_admin')
      const failures: string[] = []
      const send = async (url: string, what: string, body?: { text: string | Uint8Array; type: string }) => {
        try {
          const answer = await fetch(`${origin()}${url}`, {
            method,
            redirect: 'manual',
            signal: AbortSignal.timeout(LONGEST_MS),
            headers: { ...caller.headers, ...(body === undefined ? {} : { 'content-type': body.type }) },
            ...(body === undefined ? {} : { body: body.text as string }),
          })
          const text = await answer.text()
          if (answer.status >= FAULT) failures.push(`${what}: ${answer.status} ${text.slice(0, 200)}`)
        } catch (error) {
          failures.push(`${what}: ${String(error)} ${String((error as Error).cause)}`)
        }
      }
      for (const url of pathsOf(path, operation)) await send(url, url.slice(0, 100))
      if (method !== 'GET') {
        const url = path.replaceAll(/\{[^}]+\}/g, randomUUID())
        for (const body of bodiesOf(operation)) await send(url, String(body.text).slice(0, 100), body)
      }
      expect(failures).toEqual([])
      expect((await fetch(`${origin()}/healthz`)).status).toBe(200)
    },
    120_000,
  )
})
