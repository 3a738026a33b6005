import { Command, CommanderError } from 'commander'
import { readVersion, type SettingName } from '../foundation/index.ts'
import { commands } from './commands/index.ts'
import { report, toAkashiError } from './failure.ts'
import { createInvocation, type Perform, type Register } from './invocation.ts'
import { addSettings, SettingOption } from './setting-option.ts'
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
  const program = createProgram(world, perform, verbs)
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
    return report(toAkashiError(thrown, world.signal), world, { json: argv.includes('--json'), ...flags })
  }
}

/** Every command with its options; `world` takes the help. */
export function createProgram(
  { stdout, stderr }: Pick<World, 'stdout' | 'stderr'>,
  perform: Perform,
  verbs: readonly Register[] = commands,
): Command {
  const program = new Command('akashi')
    .description('The security data tier of a PostgreSQL application.')
    .version(readVersion(), '-V, --version', 'print the version')
    .option('--config <file>', 'configuration file (default: akashi.yaml where it is)')
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

/** The commands that have the flag of a setting, such as `serve` or `witness serve`; the program itself is ``. */
export function commandsBySetting(): Map<SettingName, string[]> {
  const found = new Map<SettingName, string[]>()
  const walk = (command: Command, path: readonly string[]) => {
    for (const option of command.options) {
      if (!(option instanceof SettingOption)) continue
      found.set(option.setting, [...(found.get(option.setting) ?? []), path.join(' ')])
    }
    for (const each of command.commands) walk(each, [...path, each.name()])
  }
  walk(
    createProgram(process, () => Promise.resolve()),
    [],
  )
  return found
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
