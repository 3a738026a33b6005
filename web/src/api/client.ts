import {
  type BodyOf,
  type OperationName,
  OWN_PAGE_HEADER,
  type ParamsOf,
  type QueryOf,
  type ResponseOf,
} from '@akashi/contract'
import { Problem, problemOf, unreachable } from './problem.ts'
import { requestStepUp } from './step-up.ts'

/** A part of a request, optional where it may be left out or be empty. */
type Part<Name extends string, Value> = [Value] extends [undefined]
  ? { readonly [name in Name]?: undefined }
  : Partial<Value> extends Value
    ? { readonly [name in Name]?: Value }
    : { readonly [name in Name]: Value }

type Given<O extends OperationName> = Part<'params', ParamsOf<O>> &
  Part<'query', QueryOf<O>> &
  Part<'body', BodyOf<O>> & {
    readonly signal?: AbortSignal
    /** For what takes longer than most. */
    readonly timeoutMs?: number
  }

/** Milliseconds to wait for a response. */
const TIMEOUT_MS = 30_000

/** Operations whose 401 does not mean that a session ended: it is about the credentials sent, or expected. */
const credentialOperations: ReadonlySet<string> = new Set<OperationName>([
  'GET /v1/session',
  'POST /v1/session',
  'POST /v1/session/step-up',
  'PUT /v1/me/password',
  // Evidence links have a session of their own.
  'GET /v1/evidence-room',
  'DELETE /v1/evidence-room/session',
])

let whenUnauthenticated = (): void => undefined

/** Registers what to do when the server no longer accepts the session. */
export function onUnauthenticated(handle: () => void): void {
  whenUnauthenticated = handle
}

/**
 * Calls an operation of the server: `call('PATCH /v1/me', { body: { displayName } })`. If it needs a recent
 * identity check, asks for one and tries once more.
 *
 * @throws Problem the server's refusal, or `network` if it could not be reached
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
    if (error.reason === 'step_up' && (await requestStepUp())) return await send(operation, parts)
    if (error.status === 401 && !credentialOperations.has(operation)) whenUnauthenticated()
    throw error
  }
}

interface Requested {
  readonly params?: unknown
  readonly query?: unknown
  readonly body?: unknown
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

async function send<O extends OperationName>(operation: O, given: Requested): Promise<ResponseOf<O>> {
  const [method = 'GET', path = ''] = operation.split(' ')
  const response = await reach(addressOf(path, given), {
    method,
    headers: {
      ...(given.body === undefined ? {} : { 'content-type': 'application/json' }),
      // The server requires this header for changes made with a cookie, since other sites cannot set it.
      ...(method === 'GET' ? {} : { [OWN_PAGE_HEADER]: '1' }),
    },
    ...(given.body === undefined ? {} : { body: JSON.stringify(given.body) }),
    signal: AbortSignal.any([
      AbortSignal.timeout(given.timeoutMs ?? TIMEOUT_MS),
      ...(given.signal === undefined ? [] : [given.signal]),
    ]),
  })
  if (!response.ok) throw await problemOf(response)
  // The server validates every response against the same contract.
  return (response.status === 204 ? undefined : await response.json()) as ResponseOf<O>
}

/**
 * Sends a file as the body of an operation that takes none as JSON.
 *
 * @throws Problem as {@link call} does
 */
export async function sendFile<O extends OperationName>(
  operation: O,
  file: Blob,
  timeoutMs: number,
): Promise<ResponseOf<O>> {
  const [method = 'PUT', path = ''] = operation.split(' ')
  const response = await reach(path, {
    method,
    headers: {
      'content-type': file.type === '' ? 'application/octet-stream' : file.type,
      [OWN_PAGE_HEADER]: '1',
    },
    body: file,
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (!response.ok) {
    if (response.status === 401) whenUnauthenticated()
    throw await problemOf(response)
  }
  return (await response.json()) as ResponseOf<O>
}

/**
 * The text of a file of the server's, such as a report.
 *
 * @param address as {@link addressOf} gives it
 * @throws Problem as {@link call} does
 */
export async function callText(address: string, signal: AbortSignal): Promise<string> {
  const response = await reach(address, {
    signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), signal]),
  })
  if (response.ok) return await response.text()
  if (response.status === 401 && !address.startsWith('/v1/evidence-room/')) whenUnauthenticated()
  throw await problemOf(response)
}

async function reach(address: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(address, init)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw unreachable(undefined, { cause: error })
  }
}

/** Fills in the `{names}` of a path and appends the query; leaves out what is undefined. */
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
