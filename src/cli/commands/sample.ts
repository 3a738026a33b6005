import type { SampleParts, SamplePerson } from '../../chat/index.ts'
import { toAkashiError } from '../failure.ts'
import type { Invocation, Register } from '../invocation.ts'

export const sample: Register = (program, perform) => {
  const group = program.command('sample').description('sample chat workspace with four people')
  group
    .command('add')
    .description('add it; prints the one-time passwords of its people')
    .action(() =>
      perform(async (cli) => {
        const { people, text } = await add(cli)
        cli.print({ people }, text)
        return 0
      }),
    )
  group
    .command('remove')
    .description('delete its rooms and erase its people')
    .action(() =>
      perform(async (cli) => {
        const { removeSample } = await import('../../chat/index.ts')
        const removed = await withSample(cli, removeSample)
        cli.print(
          { removed },
          removed === 0 ? 'there is no sample workspace' : `removed ${removed} people and their rooms`,
        )
        return 0
      }),
    )
}

export interface SampleOffer {
  /** Call it when the server is ready: adds the workspace, or says how to. */
  carryOut(): Promise<void>
}

/**
 * Before the first start of a data folder: asks at a terminal whether to add the sample workspace. It is offered
 * only once; the commands do the same at any time. Null if there is a database already.
 */
export async function offerSample(cli: Invocation): Promise<SampleOffer | null> {
  const { clusterStatus } = await import('../../postgres/index.ts')
  const { data } = await cli.config()
  if ((await clusterStatus(data)).state !== 'absent') return null
  const answer = await cli.ask('Add a sample chat workspace with four people? [Y/n] ')
  const wanted = answer !== null && /^(y|yes|はい)?$/i.test(answer.trim())
  return { carryOut: () => (wanted ? addAndPrint(cli) : printHint(cli)) }
}

async function printHint(cli: Invocation): Promise<void> {
  cli.note('to add a sample workspace: akashi sample add')
}

async function addAndPrint(cli: Invocation): Promise<void> {
  try {
    const { text } = await add(cli)
    cli.note(`${text}\nto remove the sample workspace: akashi sample remove`)
  } catch (error) {
    const { message } = toAkashiError(error, cli.signal)
    cli.note(`the sample workspace was not added: ${message}; try akashi sample add`)
  }
}

async function add(cli: Invocation): Promise<{ people: readonly SamplePerson[]; text: string }> {
  const { addSample } = await import('../../chat/index.ts')
  const { table } = await import('../output/table.ts')
  const people = await withSample(cli, addSample)
  const rows = people.map(({ username, displayName, oneTimePassword }) => [
    username,
    displayName,
    oneTimePassword,
  ])
  return { people, text: table(['user', 'name', 'one-time password'], rows) }
}

async function withSample<T>(cli: Invocation, work: (parts: SampleParts) => Promise<T>): Promise<T> {
  const start = await import('../../start/index.ts')
  const config = await cli.config()
  const actor = await cli.actor()
  return await start.withAccounts(config, actor, async (accounts) => {
    const { store } = await start.openOwnedObjects(config, accounts.worker, actor)
    return await work({ ...accounts, store })
  })
}
