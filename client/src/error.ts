/** Why the client refuses something: what happened, and how to fix it. Neither holds a secret. */
export class ContextError extends Error {
  override readonly name = 'ContextError'
  readonly summary: string
  readonly hint: string

  constructor(summary: string, hint: string, cause?: unknown) {
    super(`${summary}; hint: ${hint}`, cause === undefined ? undefined : { cause })
    this.summary = summary
    this.hint = hint
  }
}
