import { AkashiError, quoteName } from '../../foundation/index.ts'
import { Client, clientConfig } from '../client.ts'
import { toAkashiError } from '../sqlstate.ts'
import { type BaseBackup, type BaseBackupOptions, startBaseBackup } from './base-backup.ts'
import { type Answer, Command } from './command.ts'
import { type LogicalStream, type LogicalStreamOptions, startLogicalStream } from './logical-stream.ts'
import { type Lsn, parseLsn } from './lsn.ts'
import { startWalStream, type WalStream, type WalStreamOptions } from './wal-stream.ts'

/** The identity of a cluster. */
export interface SystemIdentity {
  /** 64 bits, in decimal, since a number cannot hold them. */
  readonly systemId: string
  readonly timeline: number
  /** The position up to which WAL is flushed. */
  readonly flushed: Lsn
}

export interface SlotState {
  /** The position from which WAL is retained; null when the server has removed it. */
  readonly restartLsn: Lsn | null
  readonly restartTimeline: number | null
}

export interface ReplicationOptions {
  readonly applicationName: string
  /** Logical replication of the URL's database; default physical, of the cluster. */
  readonly logical?: boolean
  /** Closes the connection. */
  readonly signal?: AbortSignal
}

/** How values are written as text: as the functions that write the trail do. */
const TEXT_SETTINGS = [
  'client_encoding=UTF8',
  'timezone=UTC',
  'datestyle=ISO,YMD',
  'intervalstyle=iso_8601',
  'bytea_output=hex',
  'extra_float_digits=1',
  'lc_monetary=C',
]
  .map((setting) => `-c ${setting}`)
  .join(' ')

/** Warnings that are kept of one connection; the first ones name what is damaged. */
const MAX_WARNINGS = 1_000

/**
 * A connection of the streaming replication protocol (PostgreSQL documentation, chapter 54.4), TLS and
 * authentication included. One command at a time.
 */
export class Replication {
  readonly #client: Client
  readonly #stopWatching: () => void
  readonly #warnings: string[] = []

  constructor(client: Client, stopWatching: () => void) {
    this.#client = client
    this.#stopWatching = stopWatching
    client.on('notice', ({ message }) => {
      if (message !== undefined && this.#warnings.length < MAX_WARNINGS) this.#warnings.push(message)
    })
  }

  async identify(): Promise<SystemIdentity> {
    const [systemId, timeline, flushed] = await this.#row('IDENTIFY_SYSTEM')
    return {
      systemId: present(systemId),
      timeline: Number(present(timeline)),
      flushed: parseLsn(present(flushed)),
    }
  }

  /** The value of a setting of the server. */
  async show(name: string): Promise<string> {
    return present((await this.#row(`SHOW ${name}`))[0])
  }

  /** null when there is no such slot. */
  async readSlot(name: string): Promise<SlotState | null> {
    const [type, lsn, timeline] = await this.#row(`READ_REPLICATION_SLOT ${quoteName(name)}`)
    if (type === null || type === undefined) return null
    return {
      restartLsn: lsn === null || lsn === undefined ? null : parseLsn(lsn),
      restartTimeline: timeline === null || timeline === undefined ? null : Number(timeline),
    }
  }

  /** Creates a physical slot that retains WAL from the last checkpoint on; a temporary one ends with this connection. */
  async createSlot(name: string, options: { readonly temporary?: boolean } = {}): Promise<void> {
    const temporary = options.temporary === true ? 'TEMPORARY ' : ''
    await this.#run(`CREATE_REPLICATION_SLOT ${quoteName(name)} ${temporary}PHYSICAL RESERVE_WAL`)
  }

  async dropSlot(name: string): Promise<void> {
    await this.#run(`DROP_REPLICATION_SLOT ${quoteName(name)} WAIT`)
  }

  /** The history file of a timeline: its name, `00000002.history`, and its content. */
  async timelineHistory(timeline: number): Promise<{ readonly name: string; readonly content: string }> {
    const [name, content] = await this.#row(`TIMELINE_HISTORY ${timeline}`)
    return { name: present(name), content: present(content) }
  }

  /** Sends the manifest of the backup that the next incremental one builds on (17 and newer). */
  async uploadManifest(manifest: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const answer of this.#start('UPLOAD_MANIFEST')) {
      if (answer.kind !== 'copyIn') continue
      for await (const chunk of manifest) await this.#send(chunk)
      this.#client.connection.endCopyFrom()
    }
  }

  /** One at a time; must be read to its end. */
  baseBackup(options: BaseBackupOptions): Promise<BaseBackup> {
    return startBaseBackup((text) => this.#start(text), options, this.#warnings)
  }

  /** Streams WAL until the timeline ends or the connection is closed. */
  walStream(options: WalStreamOptions): WalStream {
    return startWalStream(this.#client, (text) => this.#start(text), options)
  }

  /** Streams the changes of a publication until the connection is closed. */
  logicalStream(options: LogicalStreamOptions): LogicalStream {
    return startLogicalStream(this.#client, (text) => this.#start(text), options)
  }

  async close(): Promise<void> {
    this.#stopWatching()
    await this.#client.end().catch(() => undefined)
  }

  async *#start(text: string): AsyncGenerator<Answer, void, undefined> {
    const command = new Command(this.#client, text)
    this.#client.query(command)
    try {
      yield* command
    } catch (error) {
      throw toAkashiError(error)
    }
  }

  async #send(chunk: Uint8Array): Promise<void> {
    const { connection } = this.#client
    connection.sendCopyFromChunk(Buffer.from(chunk))
    if (connection.stream.writableNeedDrain) {
      await new Promise<void>((resolve) => connection.stream.once('drain', resolve))
    }
  }

  async #run(text: string): Promise<void> {
    for await (const _ of this.#start(text));
  }

  async #row(text: string): Promise<readonly (string | null)[]> {
    let found: readonly (string | null)[] = []
    for await (const answer of this.#start(text)) if (answer.kind === 'row') found = answer.fields
    return found
  }
}

/**
 * Opens a replication connection directly to the server; poolers do not support them.
 * @throws forbidden, invalid_config, unavailable
 */
export async function openReplication(url: string, options: ReplicationOptions): Promise<Replication> {
  const target = new URL(url)
  target.searchParams.set('replication', options.logical === true ? 'database' : 'true')
  // A logical stream has values as text, which these settings decide.
  if (options.logical === true) target.searchParams.set('options', TEXT_SETTINGS)
  const client = new Client(clientConfig(target.href, options.applicationName))
  client.on('error', () => undefined)
  const { signal } = options
  const cut = () =>
    client.connection.stream.destroy(new AkashiError('cancelled', 'the replication connection was cut'))
  try {
    if (signal?.aborted === true) throw new AkashiError('cancelled', 'the replication connection was cut')
    signal?.addEventListener('abort', cut, { once: true })
    await client.connect()
    return new Replication(client, () => signal?.removeEventListener('abort', cut))
  } catch (error) {
    signal?.removeEventListener('abort', cut)
    await client.end().catch(() => undefined)
    throw toAkashiError(error)
  }
}

function present(value: string | null | undefined): string {
  if (value !== null && value !== undefined) return value
  throw new AkashiError('internal', 'the server returned no value for a replication command')
}
