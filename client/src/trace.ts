import { randomBytes } from 'node:crypto'

const TRACE_ID_BYTES = 16
const traceparent = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/
const zeros = /^0+$/

/**
 * The trace id of a W3C `traceparent` header, or a new one if the header is missing or invalid, as
 * https://www.w3.org/TR/trace-context/#processing-model requires.
 */
export function traceIdOf(header: string | undefined): string {
  const [, version, traceId, parentId, rest] = traceparent.exec(header ?? '') ?? []
  const valid =
    traceId !== undefined &&
    parentId !== undefined &&
    version !== 'ff' &&
    !zeros.test(traceId) &&
    !zeros.test(parentId) &&
    // Version 00 has four fields; a later one may have more.
    (version !== '00' || rest === undefined)
  return valid ? traceId : randomBytes(TRACE_ID_BYTES).toString('hex')
}
