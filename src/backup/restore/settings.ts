/** Writes the recovery settings of PostgreSQL into the files of the cluster. */
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatLsn } from '../../postgres/index.ts'
import { STAGED_MARKER } from './stage-wal.ts'
import { type Target, timeText } from './target.ts'

/** Settings of a recovery, reset when it is done. */
export const RECOVERY_SETTINGS = [
  'restore_command',
  'recovery_target',
  'recovery_target_time',
  'recovery_target_lsn',
  'recovery_target_xid',
  'recovery_target_name',
  'recovery_target_inclusive',
  'recovery_target_timeline',
  'recovery_target_action',
] as const

/** PostgreSQL treats 1 to 125 as "no such file" and ends recovery; higher values abort it. */
export const WAL_FETCH_FAILED = 200

export interface Recovery {
  readonly target: Target
  readonly timeline: number
  /** Where the WAL was staged. */
  readonly walFolder: string
  /** Command that fetches WAL that is not staged, with `%f` and `%p` as in restore_command. */
  readonly walFetch: string
}

/** Turns the files of a backup into a cluster that PostgreSQL recovers. */
export async function writeRecoverySettings(folder: string, recovery: Recovery): Promise<void> {
  await plainLabel(join(folder, 'backup_label'))
  // Links to tablespaces exist already, with their new targets.
  await rm(join(folder, 'tablespace_map'), { force: true })
  const lines = Object.entries(settingsOf(recovery)).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`,
  )
  await appendFile(join(folder, 'postgresql.auto.conf'), `# Of a recovery by Akashi\n${lines.join('')}`)
  await writeFile(join(folder, 'recovery.signal'), '', { mode: 0o600 })
}

/** The label of an incremental backup forbids starting from it; the rebuilt cluster allows it. */
async function plainLabel(file: string): Promise<void> {
  const label = await readFile(file, 'utf8')
  await writeFile(file, label.replaceAll(/^INCREMENTAL FROM .*\n/gm, ''), { mode: 0o600 })
}

function settingsOf({ target, timeline, walFolder, walFetch }: Recovery): Record<string, string> {
  return {
    restore_command: restoreCommand(walFolder, walFetch),
    recovery_target_timeline: String(timeline),
    recovery_target_action: 'promote',
    ...targetSettings(target),
  }
}

function targetSettings(target: Target): Record<string, string> {
  switch (target.kind) {
    case 'latest':
      return {}
    case 'time':
      // Zone abbreviations, including Z, are unknown when the server reads its configuration.
      return { recovery_target_time: timeText(target.us).replace('Z', '+00') }
    case 'lsn':
      return { recovery_target_lsn: formatLsn(target.lsn) }
    case 'xid':
      return { recovery_target_xid: target.xid.toString() }
    case 'name':
      return { recovery_target_name: target.name }
  }
}

/** Copies staged WAL without another process; once staging is complete, other files do not exist. */
function restoreCommand(walFolder: string, walFetch: string): string {
  const staged = (name: string) => shellQuote(`${walFolder.replaceAll('%', '%%')}/${name}`)
  return (
    `if [ -f ${staged('%f')} ]; then cp ${staged('%f')} "%p" || exit ${WAL_FETCH_FAILED}; ` +
    `elif [ -f ${staged(STAGED_MARKER)} ]; then exit 1; else exec ${walFetch}; fi`
  )
}

export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
