/** One request to a witness over HTTP, with a limit on time and size. */
import { AkashiError } from '../../../foundation/index.ts'

/** Milliseconds for one request to a witness. */
export const WITNESS_TIMEOUT_MS = 5_000
/** Longest response that is read, in bytes. */
const MAX_RESPONSE_BYTES = 65_536

export interface RequestOptions {
  /** Default {@link WITNESS_TIMEOUT_MS}, for each request. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** @throws AkashiError timeout, unavailable when the witness is away */
export async function request(
  prefix: string,
  path: string,
  init: { readonly method: string; readonly body?: string },
  { timeoutMs = WITNESS_TIMEOUT_MS, signal }: RequestOptions,
): Promise<{ status: number; text: string }> {
  const url = URL.parse(path, prefix.endsWith('/') ? prefix : `${prefix}/`)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new AkashiError('invalid_config', 'the address of a witness is not an http(s) URL')
  }
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(url, {
      ...init,
      redirect: 'error',
      signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
    })
    return { status: response.status, text: await readResponse(response) }
  } catch (cause) {
    if (cause instanceof AkashiError) throw cause
    if (signal?.aborted === true)
      throw new AkashiError('cancelled', 'the submission was cancelled', { cause })
    if (deadline.aborted)
      throw new AkashiError('timeout', `the witness at ${url.host} did not respond within ${timeoutMs} ms`, {
        cause,
      })
    throw new AkashiError('unavailable', `the witness at ${url.host} cannot be reached`, { cause })
  }
}

async function readResponse(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MAX_RESPONSE_BYTES)
      throw new AkashiError('unavailable', 'the response of the witness is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
