import type { Invocation } from './invocation.ts'

/** Tells that a process serves; the key to its API is a remark, since scripts read the ready line. */
export function announce(
  cli: Invocation,
): (ready: { url: string; bootstrapKey: string | undefined }) => void {
  return ({ url, bootstrapKey }) => {
    if (bootstrapKey !== undefined) cli.note(`the key to ${url}/v1, shown this once: ${bootstrapKey}`)
    cli.print({ ready: url }, `ready ${url}`)
  }
}
