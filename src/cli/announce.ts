import type { Invocation } from './invocation.ts'

/** Prints that the server is ready. The administrator's password goes to standard error, since scripts read the ready line. */
export function announce(
  cli: Invocation,
): (ready: {
  url: string
  administrator: { readonly username: string; readonly password: string } | undefined
}) => void {
  return ({ url, administrator }) => {
    if (administrator !== undefined) {
      cli.note(
        `administrator: ${administrator.username}, one-time password (shown only once): ${administrator.password}`,
      )
    }
    cli.print({ ready: url }, `ready ${url}`)
  }
}
