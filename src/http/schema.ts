/**
 * Routes define their shapes in zod: `schema: { params, querystring, body, headers, response }`. The same schemas
 * validate requests, filter responses and become the OpenAPI document.
 */
import type { Mistake } from '@akashi/contract'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifySchema,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import { z } from 'zod'
import { AkashiError } from '../foundation/index.ts'
import { refuseDeep } from './plugins/json-depth.ts'

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger
>

const requestParts = ['params', 'querystring', 'headers', 'body'] as const
const requestKeys = { params: 'params', querystring: 'query', headers: 'headers', body: 'body' } as const

/** Validates requests and filters responses by the zod schemas of the routes. */
export function useZod(app: App): void {
  // Fastify's own validation stops at the first part that fails; the hook below reports all of them.
  app.setValidatorCompiler(() => () => true)
  app.addHook('preHandler', async (request) => {
    refuseDeep(request.body)
    const mistakes: Mistake[] = []
    for (const part of requestParts) {
      const schema = request.routeOptions.schema?.[part]
      if (schema instanceof z.ZodType) {
        const result = schema.safeParse(request[requestKeys[part]])
        if (result.success) {
          Object.assign(request, { [requestKeys[part]]: result.data })
        } else {
          mistakes.push(...result.error.issues.map((issue) => mistake(part, issue)))
        }
      }
    }
    if (mistakes.length > 0) {
      throw new AkashiError('invalid_input', `${mistakes.length} of the given values are not valid`, {
        hint: 'see errors',
        detail: { errors: mistakes },
      })
    }
  })
  // Parsing drops members that the schema does not define, so that nothing is sent by accident.
  app.setSerializerCompiler(({ schema }) => (data) => {
    return JSON.stringify(schema instanceof z.ZodType ? schema.parse(data) : data)
  })
}

function mistake(part: (typeof requestParts)[number], issue: z.core.$ZodIssue): Mistake {
  const path = issue.path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`)
  return { in: part, pointer: path.join(''), detail: issue.message }
}

/** The route's schema, converted from zod to JSON Schema for the OpenAPI document. */
export function openApiSchema(schema: FastifySchema | undefined): FastifySchema {
  const converted: Record<string, unknown> = { ...schema }
  for (const part of requestParts) {
    converted[part] = toJson(schema?.[part], 'input')
  }
  converted['response'] = toJson(schema?.response, 'output')
  return Object.fromEntries(Object.entries(converted).filter(([, value]) => value !== undefined))
}

function toJson(value: unknown, io: 'input' | 'output'): unknown {
  if (value instanceof z.ZodType) {
    const { $schema, ...json } = z.toJSONSchema(value, { io })
    return json
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner, io)]))
  }
  return value
}
