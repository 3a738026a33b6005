import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { z } from 'zod'
import { commands } from './commands/index.ts'
import { report, toAkashiError } from './failure.ts'
import { createInvocation, type Perform } from './invocation.ts'
import type { ExitStatus, World } from './world.ts'

const Manifest = z.object({ version: z.string() })

/** Version of package.json, from the source tree and from `dist` alike. */
export function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return Manifest.parse(JSON.parse(text)).version
}

/** Runs `akashi` with these arguments; resolves to its exit status and never throws. */
export async function run(argv: readonly string[], world: World): Promise<ExitStatus> {
  let status: ExitStatus = 0
  let flags: Record<string, unknown> = {}
  const perform: Perform = async (work) => {
    status = (await work(createInvocation(world, flags))) ?? 0
  }
  const program = createProgram(world, perform)
  program.hook('preAction', (_, command) => {
    flags = command.optsWithGlobals()
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return status
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      if (thrown.exitCode === 0) return 0
      // A group without a verb (`akashi`, `akashi audit`): commander has printed its help.
      if (thrown.code === 'commander.help') return 2
    }
    return report(toAkashiError(thrown, world.signal), world, argv.includes('--json'))
  }
}

function createProgram(world: World, perform: Perform): Command {
  const program = new Command('akashi')
    .description('The security data tier of a PostgreSQL application.')
    .version(readVersion(), '-V, --version', 'print the version')
    .option('--data <dir>', 'folder of everything that akashi up keeps')
    .option('--config <file>', 'configuration file (default: akashi.yaml where it is)')
    .option('--json', 'print one JSON document')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => void world.stdout.write(text),
      writeErr: (text) => void world.stderr.write(text),
      outputError: () => undefined,
    })
    .exitOverride()
  for (const register of commands) register(program, perform)
  return program
}
