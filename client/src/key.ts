import { ContextError } from './error.ts'

/** What contexts are signed with: `akashi context-key create` makes it. */
export interface ContextKey {
  readonly id: string
  /** 32 bytes */
  readonly secret: Uint8Array
}

const KEY = /^akctx_([a-z0-9_-]+)_([0-9a-f]{64})$/

/** @throws ContextError for anything that `akashi context-key create` does not print */
export function parseContextKey(text: string): ContextKey {
  const [, id, secret] = KEY.exec(text.trim()) ?? []
  if (id === undefined || secret === undefined) {
    throw new ContextError(
      'the context key is not valid',
      'give the whole text akctx_… that `akashi context-key create` printed',
    )
  }
  return { id, secret: Buffer.from(secret, 'hex') }
}
