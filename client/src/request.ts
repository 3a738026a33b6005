/** What a request says about who sends it and from where, for the adapters of the web frameworks. */
import { randomUUID } from 'node:crypto'
import type { Actor } from './fields.ts'
import { traceIdOf } from './trace.ts'

/** Who a request is for, once your application has authenticated it: an id, or more of the actor. */
export type User = string | number | bigint | Actor | null | undefined

export interface RequestOptions<R> {
  /** Who is signed in; nothing for nobody. Called for each request, after what authenticates it. */
  readonly user: (request: R) => User
  /** The version of your application, kept in each row of the trail. */
  readonly applicationVersion?: string
}

interface Facts {
  readonly clientIp: string | undefined
  readonly method: string
  readonly route: string | undefined
  readonly header: (name: string) => string | undefined
  readonly requestId?: string | undefined
}

/** Longest request id that is taken over from the caller, in characters. */
const MAX_REQUEST_ID = 128

export function requestActor<R>(request: R, facts: Facts, options: RequestOptions<R>): Actor {
  const user = options.user(request)
  const who: Actor = typeof user === 'object' && user !== null ? user : { userId: user ?? undefined }
  return {
    clientIp: facts.clientIp,
    userAgent: facts.header('user-agent'),
    requestId: facts.requestId ?? givenId(facts.header('x-request-id')) ?? randomUUID(),
    traceId: traceIdOf(facts.header('traceparent')),
    correlationId: facts.header('x-correlation-id'),
    apiEndpoint: `${facts.method} ${facts.route ?? '(no route)'}`,
    applicationVersion: options.applicationVersion,
    ...who,
  }
}

function givenId(text: string | undefined): string | undefined {
  return text === undefined || text === '' || text.length > MAX_REQUEST_ID ? undefined : text
}
