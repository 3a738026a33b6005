import { Command, CommanderError } from 'commander'
import { commands } from './commands/index.ts'
import { report, toAkashiError } from './failure.ts'
import { createInvocation, type Perform, type Register } from './invocation.ts'
import { readVersion } from './version.ts'
import type { ExitStatus, World } from './world.ts'

/** Runs `akashi` with these arguments; resolves to its exit status and never throws. */
export async function run(
  argv: readonly string[],
  world: World,
  verbs: readonly Register[] = commands,
): Promise<ExitStatus> {
  let status: ExitStatus = 0
  let flags: Record<string, unknown> = {}
  const perform: Perform = async (work) => {
    status = (await work(createInvocation(world, flags))) ?? 0
  }
  const program = createProgram(world)
  for (const register of verbs) register(program, perform)
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

function createProgram(world: World): Command {
  return new Command('akashi')
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
}

/** Every command without `akashi`, such as `archive run`; a group counts as one, since it prints its help. */
export function commandNames(): string[] {
  const program = new Command()
  for (const register of commands) register(program, () => Promise.resolve())
  const below = (command: Command): string[] =>
    command.commands.flatMap((child) => [
      child.name(),
      ...below(child).map((name) => `${child.name()} ${name}`),
    ])
  return below(program)
}
