import { userInfo } from 'node:os'
import { isatty } from 'node:tty'
import { run } from './program.ts'
import { askAtTerminal } from './terminal.ts'
import type { World } from './world.ts'

const STATUS_OF_KILLED = 130

const controller = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The first signal stops gracefully, the second immediately.
    if (controller.signal.aborted) process.exit(STATUS_OF_KILLED)
    controller.abort(signal)
  })
}

// A reader that closes the pipe early (`akashi … | head`) is not an error.
process.stdout.on('error', (error) => {
  if ('code' in error && error.code === 'EPIPE') process.exit()
  throw error
})

/** In a container the account may have an id but no name. */
function accountName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

const world: World = {
  environment: process.env,
  account: accountName(),
  directory: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
  interactive: isatty(process.stderr.fd),
  ...(isatty(process.stdin.fd) && isatty(process.stderr.fd) ? { ask: askAtTerminal } : {}),
  signal: controller.signal,
}

process.exitCode = await run(process.argv.slice(2), world)
