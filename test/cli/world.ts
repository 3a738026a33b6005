import type { Register } from '../../src/cli/invocation.ts'
import { run } from '../../src/cli/program.ts'
import type { World } from '../../src/cli/world.ts'

export interface Outcome {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command line in this process and keeps what it printed. */
export async function akashi(
  argv: readonly string[],
  options: { readonly world?: Partial<World>; readonly verbs?: readonly Register[] } = {},
): Promise<Outcome> {
  let stdout = ''
  let stderr = ''
  const world: World = {
    environment: {},
    account: 'tester',
    directory: '/nonexistent',
    stdout: {
      write: (text) => {
        stdout += text
      },
    },
    stderr: {
      write: (text) => {
        stderr += text
      },
    },
    interactive: false,
    signal: new AbortController().signal,
    ...options.world,
  }
  const status = await run(argv, world, options.verbs)
  return { status, stdout, stderr }
}
