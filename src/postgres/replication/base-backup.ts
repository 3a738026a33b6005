import { AkashiError } from '../../foundation/index.ts'
import type { Answer } from './command.ts'
import { type Lsn, parseLsn } from './lsn.ts'

export interface BaseBackupOptions {
  readonly label: string
  /** Includes only what changed since the backup whose manifest was uploaded on this connection (17 and newer). */
  readonly incremental?: boolean
  /** Whether the backup includes the WAL that makes it consistent; default false. */
  readonly wal?: boolean
  /** Whether the checkpoint before it runs at full speed; default true. */
  readonly fastCheckpoint?: boolean
}

export interface Tablespace {
  /** null for the main data folder. */
  readonly oid: string | null
  /** Where it is on the server; null for the main data folder. */
  readonly location: string | null
  /** Bytes, as estimated when the backup began. */
  readonly bytes: number
}

/** The parts of a base backup, in order. */
export type BaseBackupPart =
  /** Start of a tar archive: one for the main data folder, one for each tablespace (named by its OID). */
  | { readonly kind: 'archive'; readonly tablespace: string | null }
  | { readonly kind: 'manifest' }
  /** Bytes of the archive, or of the manifest. */
  | { readonly kind: 'data'; readonly data: Buffer }
  /** Comes last; without it the backup is incomplete. */
  | {
      readonly kind: 'end'
      readonly lsn: Lsn
      readonly timeline: number
      /** Pages whose checksum is wrong, such as `base/5/16384 block 3`: all the rest is as it was. */
      readonly damaged: readonly string[]
    }

export interface BaseBackup {
  readonly startLsn: Lsn
  readonly timeline: number
  readonly tablespaces: readonly Tablespace[]
  readonly parts: AsyncIterable<BaseBackupPart>
}

const DATA = 0x64
const ARCHIVE = 0x6e
const MANIFEST = 0x6d

/** BASE_BACKUP with a SHA-256 manifest (PostgreSQL documentation, chapter 54.4; 15 and newer). */
export async function startBaseBackup(
  start: (text: string) => AsyncIterable<Answer>,
  options: BaseBackupOptions,
  /** What the server has warned of on this connection. */
  warnings: readonly string[] = [],
): Promise<BaseBackup> {
  const answers = start(commandText(options))[Symbol.asyncIterator]()
  const position = await oneResult(answers)
  const [lsn, timeline] = position[0] ?? []
  const tablespaces = (await oneResult(answers)).map(([oid, location, kilobytes]) => ({
    oid: oid ?? null,
    location: location ?? null,
    bytes: Number(kilobytes ?? 0) * 1024,
  }))
  return {
    startLsn: parseLsn(lsn ?? ''),
    timeline: Number(timeline),
    tablespaces,
    parts: { [Symbol.asyncIterator]: () => readParts(answers, warnings) },
  }
}

function commandText({ label, incremental = false, wal = false, fastCheckpoint = true }: BaseBackupOptions) {
  const settings = [
    `LABEL '${label.replaceAll("'", "''")}'`,
    `CHECKPOINT '${fastCheckpoint ? 'fast' : 'spread'}'`,
    "MANIFEST 'yes'",
    "MANIFEST_CHECKSUMS 'SHA256'",
    'TABLESPACE_MAP true',
    'PROGRESS true',
    `WAL ${wal}`,
    `WAIT ${wal}`,
    ...(incremental ? ['INCREMENTAL true'] : []),
  ]
  return `BASE_BACKUP (${settings.join(', ')})`
}

async function oneResult(answers: AsyncIterator<Answer>): Promise<(readonly (string | null)[])[]> {
  const rows: (readonly (string | null)[])[] = []
  for (;;) {
    const { value, done } = await answers.next()
    if (done === true) throw unexpected()
    if (value.kind === 'row') rows.push(value.fields)
    if (value.kind === 'complete') return rows
  }
}

async function* readParts(
  answers: AsyncIterator<Answer>,
  warnings: readonly string[],
): AsyncGenerator<BaseBackupPart, void, undefined> {
  for (;;) {
    const { value, done } = await answers.next()
    if (done === true) throw unexpected()
    if (value.kind === 'copyDone') break
    if (value.kind !== 'copy') continue
    const part = partOf(value.data)
    if (part !== undefined) yield part
  }
  const [lsn, timeline] = (await oneResult(answers))[0] ?? []
  const damaged: string[] = []
  try {
    while ((await answers.next()).done !== true);
  } catch (error) {
    // Wrong checksums fail the command after everything was sent: the backup is whole, except for these pages.
    damaged.push(...warnings.flatMap(damagedPage))
    if (damaged.length === 0 || !(error instanceof AkashiError) || error.code !== 'integrity') throw error
  }
  yield { kind: 'end', lsn: parseLsn(lsn ?? ''), timeline: Number(timeline), damaged }
}

/** In any language: `checksum verification failed in file "./base/5/16384", block 3: …` */
function damagedPage(warning: string): string[] {
  const [, file, block] = /"(?:\.\/)?((?:base|global|pg_tblspc)\/[^"]+)"\D*(\d+)/.exec(warning) ?? []
  return file === undefined || block === undefined ? [] : [`${file} block ${block}`]
}

function partOf(message: Buffer): BaseBackupPart | undefined {
  if (message[0] === DATA) return { kind: 'data', data: message.subarray(1) }
  if (message[0] === MANIFEST) return { kind: 'manifest' }
  if (message[0] !== ARCHIVE) return undefined
  const [name = ''] = message.toString('utf8', 1).split('\0')
  const [, oid] = /^(\d+)\.tar$/.exec(name) ?? []
  return { kind: 'archive', tablespace: oid ?? null }
}

function unexpected(): AkashiError {
  return new AkashiError('unavailable', 'the server ended a base backup early', {
    hint: 'see the log of the server, then take the backup again',
  })
}
