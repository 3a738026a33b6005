import { PROBLEM_TYPE } from '@akashi/contract'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import { httpErrors, problem, problemOf } from '../problem.ts'
import type { App } from '../schema.ts'
import { AllowedMethods } from './allowed-methods.ts'
import { isCallerGone } from './caller-signal.ts'

const CLIENT_CLOSED_REQUEST = 499

/** Sends every error as problem details. Unexpected errors are logged in full and reported without details. */
export function answerProblems(app: App): void {
  app.setErrorHandler<FastifyError>(sendProblem)
}

export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const body = isCallerGone(request)
    ? problem('cancelled', request.id, { detail: 'the caller closed the connection' })
    : problemOf(error, request.id)
  if (body.status >= 500) {
    request.log.error({ err: error }, 'the request failed')
  } else if (body.status !== CLIENT_CLOSED_REQUEST) {
    request.log.debug({ err: error }, 'the request was refused')
  }
  if (body.status === 401) {
    reply.header('www-authenticate', 'Bearer realm="akashi"')
  }
  const wait = error instanceof AkashiError ? error.detail['retryAfterSeconds'] : undefined
  if (typeof wait === 'number') {
    reply.header('retry-after', wait)
  }
  reply.code(body.status).header('content-type', PROBLEM_TYPE).send(JSON.stringify(body))
}

export type NotFoundHandler = (request: FastifyRequest, reply: FastifyReply) => void

/** 404, or 405 with `Allow` if the path supports other methods. Call before any route is added. */
export function notFoundHandler(app: App): NotFoundHandler {
  const allowed = new AllowedMethods()
  allowed.watch(app)
  return (request, reply) => {
    const [path = '/'] = request.url.split('?')
    const methods = allowed.of(path)
    const body =
      methods.length === 0 || methods.includes(request.method)
        ? problem('not_found', request.id, { detail: 'there is no resource at this path', hint: 'see /docs' })
        : problem('method_not_allowed', request.id, {
            detail: `this resource does not support ${request.method}`,
            hint: `use ${methods.join(', ')}`,
          })
    if (body.status === httpErrors.method_not_allowed.status) {
      reply.header('allow', methods.join(', '))
    }
    reply.code(body.status).header('content-type', PROBLEM_TYPE).send(JSON.stringify(body))
  }
}
