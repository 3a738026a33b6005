import type { Invocation } from './invocation.ts'

/** Commands that report it themselves, in their log or result, or that PostgreSQL runs. */
const WITHOUT_NOTICE = new Set(['up', 'work', 'serve', 'doctor', 'migrate', 'wal-fetch'])

/**
 * Prints on standard error that this installation does not own its object store, before the command does
 * anything.
 */
export async function noteReadOnly(cli: Invocation, command: string): Promise<void> {
  const [, verb = ''] = command.split(' ')
  if (WITHOUT_NOTICE.has(verb)) return
  const { readOnlyNotice } = await import('../start/index.ts')
  const notice = await readOnlyNotice(cli)
  if (notice !== undefined) cli.note(notice)
}
