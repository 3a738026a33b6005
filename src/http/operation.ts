import { type Operation, type OperationName, operations } from '@akashi/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { given } from '../foundation/index.ts'
import type { Access } from './access.ts'
import type { Budget } from './plugins/budget.ts'
import type { App } from './schema.ts'

type Operations = typeof operations

/** A part of a request after its validation. */
type Received<Name extends OperationName, Part extends 'params' | 'query' | 'body'> =
  Operations[Name] extends Readonly<Record<Part, infer Schema extends z.ZodType>>
    ? z.output<Schema>
    : undefined

type RequestOf<Name extends OperationName> = FastifyRequest<{
  Params: Received<Name, 'params'>
  Querystring: Received<Name, 'query'>
  Body: Received<Name, 'body'>
}>

/** A body, which the response schema then filters, or a reply that was already sent. */
type Result<Name extends OperationName> =
  Operations[Name] extends Readonly<Record<'response', infer Schema extends z.ZodType>>
    ? Promise<z.input<Schema> | FastifyReply>
    : Promise<void>

interface Declaration<Name extends OperationName> {
  readonly access: Access
  /** Budget of each caller, for costly requests. */
  readonly budget?: Budget
  /** Maximum bytes of the body, instead of the server's limit. */
  readonly bodyLimit?: number
  /** Milliseconds, instead of the server's limit. */
  readonly handlerTimeout?: number
  /** Returns the body of the successful response; the contract defines its status. */
  readonly handle: (request: RequestOf<Name>, reply: FastifyReply) => Result<Name>
}

/** Serves an operation of the contract. */
export function operation<Name extends OperationName>(
  app: App,
  name: Name,
  { access, budget, handle, ...limits }: Declaration<Name>,
): void {
  const { summary, description, params, query, body, response, status }: Operation = operations[name]
  const [method = '', path = ''] = name.split(' ')
  const success = status ?? (response === undefined ? 204 : 200)
  app.route({
    ...limits,
    method,
    url: path
      .replaceAll(/\{(\w+)\}/g, ':$1')
      .replace('{*}', '*')
      .slice(app.prefix.length),
    config: given({ access, budget }),
    schema: given({
      summary,
      description,
      tags: [path.split('/')[2] ?? 'system'],
      params,
      querystring: query,
      body,
      response: { [success]: response ?? z.null().describe('no content') },
    }),
    // Validated by the operation's schemas.
    handler: (request, reply) => handle(request as RequestOf<Name>, reply.code(success)),
  })
}
