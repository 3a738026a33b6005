import type { Invocation } from './invocation.ts'

/** Tells that a process serves; the first administrator is a remark, since scripts read the ready line. */
export function announce(
  cli: Invocation,
): (ready: {
  url: string
  administrator: { readonly username: string; readonly password: string } | undefined
}) => void {
  return ({ url, administrator }) => {
    if (administrator !== undefined) {
      cli.note(
        `administrator: ${administrator.username}, one-time password, shown this once: ${administrator.password}`,
      )
    }
    cli.print({ ready: url }, `ready ${url}`)
  }
}
