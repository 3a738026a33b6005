import { Command, CommanderError } from 'commander'
import { readVersion, type SettingName } from '../foundation/index.ts'
import { commands } from './commands/index.ts'
import { report, toAkashiError } from './failure.ts'
import { createInvocation, type Perform, type Register } from './invocation.ts'
import { noteReadOnly } from './read-only.ts'
import { addSettings, SettingOption } from './setting-option.ts'
import type { ExitStatus, World } from './world.ts'

/** Runs `akashi` with these arguments; resolves to its exit status and never throws. */
export async function run(
  argv: readonly string[],
  world: World,
  verbs: readonly Register[] = commands,
): Promise<ExitStatus> {
  let status: ExitStatus = 0
  let command = ''
  let flags: Record<string, unknown> = {}
  const perform: Perform = async (work) => {
    const invocation = createInvocation(world, command, flags)
    await noteReadOnly(invocation, command)
    status = (await work(invocation)) ?? 0
  }
  const program = createProgram(world, perform, verbs)
  program.hook('preAction', (_, verb) => {
    command = pathOf(verb)
    flags = verb.optsWithGlobals()
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return status
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      if (thrown.exitCode === 0) return 0
      // A group without a subcommand (`akashi`, `akashi audit`): commander has printed its help.
      if (thrown.code === 'commander.help') return 2
    }
    return report(toAkashiError(thrown, world.signal), world, { json: argv.includes('--json'), ...flags })
  }
}

/** `akashi users list` */
function pathOf(verb: Command): string {
  return verb.parent === null ? verb.name() : `${pathOf(verb.parent)} ${verb.name()}`
}

/** Every command with its options; the help is printed to `world`. */
function createProgram(
  { stdout, stderr }: Pick<World, 'stdout' | 'stderr'>,
  perform: Perform,
  verbs: readonly Register[] = commands,
): Command {
  const program = new Command('akashi')
    .description('The security data tier of a PostgreSQL application.')
    .version(readVersion(), '-V, --version', 'print the version')
    .option('--config <file>', 'configuration file (default: akashi.yaml, if it exists)')
    .option('--json', 'print one JSON document')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: () => undefined,
    })
    .exitOverride()
  addSettings(program, ['data', 'logLevel', 'logFormat', 'statementTimeoutMs'])
  for (const register of verbs) register(program, perform)
  return program
}

/** Every command and group by name, such as `archive run`; the program itself is ``. */
export function allCommands(): (readonly [name: string, command: Command])[] {
  const below = (path: readonly string[], command: Command): (readonly [string, Command])[] => [
    [path.join(' '), command],
    ...command.commands.flatMap((each) => below([...path, each.name()], each)),
  ]
  const program = createProgram(process, () => Promise.resolve())
  return below([], program)
}

/** Names of the commands that have the flag of a setting. */
export function commandsBySetting(): Map<SettingName, string[]> {
  const found = new Map<SettingName, string[]>()
  for (const [name, { options }] of allCommands()) {
    for (const option of options) {
      if (!(option instanceof SettingOption)) continue
      found.set(option.setting, [...(found.get(option.setting) ?? []), name])
    }
  }
  return found
}
