import {
  type BodyOf,
  type OperationName,
  OWN_PAGE_HEADER,
  type ParamsOf,
  type QueryOf,
  type ResponseOf,
} from '@akashi/contract'
import { Problem, problemOf, unreachable } from './problem.ts'
import { askForStepUp } from './step-up.ts'

/** A part of a request, optional where it may be left out or be empty. */
type Part<Name extends string, Value> = [Value] extends [undefined]
  ? { readonly [name in Name]?: undefined }
  : Partial<Value> extends Value
    ? { readonly [name in Name]?: Value }
    : { readonly [name in Name]: Value }

type Given<O extends OperationName> = Part<'params', ParamsOf<O>> &
  Part<'query', QueryOf<O>> &
  Part<'body', BodyOf<O>> & { readonly signal?: AbortSignal }

/** Milliseconds after which a response is no longer waited for. */
const TIMEOUT_MS = 30_000

/** Where 401 is about the credentials that were just typed, or is asked for, and not the end of a session. */
const credentialOperations: ReadonlySet<string> = new Set<OperationName>([
  'GET /v1/session',
  'POST /v1/session',
  'POST /v1/session/step-up',
  'PUT /v1/me/password',
])

let whenUnauthenticated = (): void => undefined

/** Sets what happens when the server does not know the session any more. */
export function onUnauthenticated(act: () => void): void {
  whenUnauthenticated = act
}

/**
 * One operation of the server: `call('PATCH /v1/me', { body: { displayName } })`. Where the server wants
 * credentials shown again, they are asked for, and the operation is tried once more.
 *
 * @throws Problem what the server refused, `network` where it could not be reached
 */
export async function call<O extends OperationName>(
  operation: O,
  ...given: Partial<Given<O>> extends Given<O> ? [Given<O>?] : [Given<O>]
): Promise<ResponseOf<O>> {
  const parts: Requested = given[0] ?? {}
  try {
    return await send(operation, parts)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    if (error.reason === 'step_up' && (await askForStepUp())) return await send(operation, parts)
    if (error.status === 401 && !credentialOperations.has(operation)) whenUnauthenticated()
    throw error
  }
}

interface Requested {
  readonly params?: unknown
  readonly query?: unknown
  readonly body?: unknown
  readonly signal?: AbortSignal
}

async function send<O extends OperationName>(operation: O, given: Requested): Promise<ResponseOf<O>> {
  const [method = 'GET', path = ''] = operation.split(' ')
  const response = await reach(addressOf(path, given), {
    method,
    headers: {
      ...(given.body === undefined ? {} : { 'content-type': 'application/json' }),
      // The server takes a change from a cookie's owner only with this, which other sites cannot set.
      ...(method === 'GET' ? {} : { [OWN_PAGE_HEADER]: '1' }),
    },
    ...(given.body === undefined ? {} : { body: JSON.stringify(given.body) }),
    signal: AbortSignal.any([
      AbortSignal.timeout(TIMEOUT_MS),
      ...(given.signal === undefined ? [] : [given.signal]),
    ]),
  })
  if (!response.ok) throw await problemOf(response)
  // The server shapes every response by the same contract.
  return (response.status === 204 ? undefined : await response.json()) as ResponseOf<O>
}

async function reach(address: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(address, init)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw unreachable(undefined, { cause: error })
  }
}

/** The path with its `{names}` filled in, and the query; what is undefined is left out. */
export function addressOf(path: string, given: Pick<Requested, 'params' | 'query'>): string {
  const params = new Map(Object.entries(given.params ?? {}))
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(params.get(name) ?? '')),
  )
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(given.query ?? {})) {
    for (const each of [value].flat()) if (each !== undefined) query.append(name, String(each))
  }
  return query.size === 0 ? filled : `${filled}?${query}`
}
