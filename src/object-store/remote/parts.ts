import { Readable } from 'node:stream'
import { AkashiError } from '../../foundation/index.ts'
import { throwIfCancelled } from '../errors.ts'

/**
 * Splits the body into pieces of exactly `partBytes`, the last one shorter; none for an empty body. Reads on
 * demand. Aborting `stop` destroys the source, which also wakes up a stalled one.
 */
export async function* partsOf(
  body: Readable | Uint8Array,
  partBytes: number,
  key: string,
  stop: AbortSignal,
): AsyncGenerator<Uint8Array, undefined> {
  if (!(body instanceof Readable)) {
    for (let at = 0; at < body.length; at += partBytes) yield body.subarray(at, at + partBytes)
    return
  }
  const wake = () => {
    body.destroy(stop.reason instanceof Error ? stop.reason : undefined)
  }
  if (stop.aborted) wake()
  stop.addEventListener('abort', wake, { once: true })
  let gathered: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array)) {
        throw new AkashiError('invalid_input', 'the body of an object must be bytes', { detail: { key } })
      }
      let rest: Uint8Array = chunk
      while (bytes + rest.length >= partBytes) {
        const missing = partBytes - bytes
        const part = Buffer.concat([...gathered, rest.subarray(0, missing)], partBytes)
        rest = rest.subarray(missing)
        gathered = []
        bytes = 0
        yield part
        throwIfCancelled(stop, key)
      }
      if (rest.length > 0) gathered.push(rest)
      bytes += rest.length
    }
    throwIfCancelled(stop, key)
    if (bytes > 0) yield Buffer.concat(gathered, bytes)
  } finally {
    stop.removeEventListener('abort', wake)
  }
}
