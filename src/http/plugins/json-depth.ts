import { AkashiError } from '../../foundation/index.ts'

/** Levels of arrays and objects inside of each other; nothing that is stored has as many. */
const MAX_DEPTH = 64

/** @throws AkashiError invalid_input for nesting that would exhaust the stack of recursive code */
export function refuseDeep(document: unknown): void {
  let level: unknown[] = [document]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) {
      throw new AkashiError('invalid_input', 'the request body is nested too deeply', {
        hint: `use at most ${MAX_DEPTH} levels`,
      })
    }
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && isPlain(value)
        ? Object.values(value)
        : [],
    )
  }
}

/** Streams and buffers are no documents. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Array.isArray(value)
}
