import { randomBytes } from 'node:crypto'
import { AkashiError, given, tracedPart } from '../../foundation/index.ts'
import {
  type BaseBackup,
  type Database,
  formatLsn,
  openReplication,
  parseLsn,
  type Replication,
} from '../../postgres/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import type { DataKey } from '../store/data-keys.ts'
import { indexName, manifestName } from '../store/paths.ts'
import { putSealed } from '../store/sealed-object.ts'
import { putWithRetries } from '../store/transfer.ts'
import type { BackupKind, BackupManifest } from '../types.ts'
import { type BackupFile, type BackupIndex, encodeIndex, MANIFEST_FILE } from './backup-index.ts'
import { readLimitBlocks } from './limit-blocks.ts'
import { signManifest } from './manifest.ts'
import { PackWriter } from './pack-writer.ts'
import { readFile, readIndex } from './read.ts'
import { readRelations, readServerFacts, type ServerFacts } from './server-facts.ts'
import { type TarEntry, TarReader } from './tar.ts'

export interface BackupSource {
  /** URL of a login with the REPLICATION attribute, without a pooler. */
  readonly url: string
  /** The same login, for SQL queries. */
  readonly database: Database
}

export interface TakeOptions {
  readonly kind: BackupKind
  /** Base of an incremental. */
  readonly parent?: BackupManifest
  readonly signal?: AbortSignal
  /** Bytes read, and the total estimated by the server. */
  readonly onProgress?: (done: number, total: number) => void
}

const ID_RANDOM_BYTES = 2

/**
 * Streams a base backup into the store. It includes the WAL needed for consistency, so that it is restorable by
 * itself. Its manifest is put last, after the server has reported completion.
 * @throws unsupported, conflict (incremental currently not possible), unavailable, forbidden, cancelled
 */
export async function takeBackup(
  backupStore: BackupStore,
  source: BackupSource,
  options: TakeOptions,
): Promise<BackupManifest> {
  const { kind, parent, signal } = options
  const before = await readServerFacts(source.database, signal)
  assertPossible(before, kind)
  const id = newId(before.now, kind)
  const connection = given({ applicationName: 'akashi backup', signal })
  const cleanup = new AsyncDisposableStack()
  try {
    const holder = await openReplication(source.url, connection)
    cleanup.defer(() => holder.close())
    // The WAL stream acknowledges WAL that this backup still needs: without a slot of its own, the next
    // checkpoint could remove it.
    await holder.createSlot(`akashi_${id.replaceAll(/[^a-z0-9]/g, '_')}`, { temporary: true })
    const replication = await openReplication(source.url, connection)
    cleanup.defer(() => replication.close())
    if (parent !== undefined) await uploadParent(backupStore, replication, parent, signal)
    const backup = await replication.baseBackup({
      label: `akashi ${id}`,
      wal: true,
      incremental: parent !== undefined,
    })
    return await store(backupStore, source, backup, { ...options, id, before })
  } finally {
    await cleanup.disposeAsync()
  }
}

async function store(
  backupStore: BackupStore,
  source: BackupSource,
  backup: BaseBackup,
  options: TakeOptions & { readonly id: string; readonly before: ServerFacts },
): Promise<BackupManifest> {
  const { id, kind, parent, before, signal } = options
  const { systemId } = backupStore
  const key = await backupStore.keys.create(signal)
  const received = await tracedPart('backup receive', {}, () => receive(backupStore, backup, key, options))
  const after = await readServerFacts(source.database, signal)
  const index: BackupIndex = {
    version: 1,
    length: received.length,
    files: received.files,
    packs: received.packs,
    limits:
      parent === undefined
        ? []
        : await readLimitBlocks(
            source.database,
            { timeline: backup.timeline, from: parseLsn(parent.startLsn), to: backup.startLsn },
            received.files.map(({ path }) => path),
            signal,
          ),
    relations: await readRelations(source.database, signal),
  }
  const stored = await tracedPart('backup index', {}, () =>
    putSealed(
      backupStore.store,
      key,
      { kind: 'index', name: indexName(systemId, id), data: encodeIndex(index) },
      signal,
    ),
  )
  const objects = [...received.packs, { name: stored.key, size: stored.size, sha256: stored.sha256 }].map(
    ({ name, size, sha256 }) => ({ name, size, sha256 }),
  )
  const manifest = signManifest(key, {
    version: 1,
    id,
    kind,
    parent: parent?.id ?? null,
    systemId,
    postgresVersion: before.version,
    database: before.database,
    ...(received.damaged.length === 0 ? {} : { damaged: [...received.damaged] }),
    timeline: backup.timeline,
    startLsn: formatLsn(backup.startLsn),
    endLsn: formatLsn(received.endLsn),
    startedAt: before.now.toISOString(),
    stoppedAt: after.now.toISOString(),
    nextXid: after.nextXid,
    walSegmentBytes: before.walSegmentBytes,
    dataChecksums: before.dataChecksums,
    tablespaces: backup.tablespaces.flatMap(({ oid, location }) =>
      oid === null || location === null ? [] : [{ oid, location }],
    ),
    files: index.files.filter((file) => file.kind === 'file').length,
    bytes: index.files.reduce((sum, { size }) => sum + size, 0),
    stored: objects.reduce((sum, { size }) => sum + size, 0),
    key: key.id,
    objects,
  })
  await tracedPart('backup manifest', {}, () =>
    putWithRetries(
      backupStore.store,
      manifestName(systemId, id),
      Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`),
      signal,
    ),
  )
  return manifest
}

async function receive(
  backupStore: BackupStore,
  backup: BaseBackup,
  key: DataKey,
  options: TakeOptions & { readonly id: string },
) {
  const { id, signal, onProgress = () => undefined } = options
  const writer = new PackWriter(backupStore.store, key, { systemId: backupStore.systemId, id }, signal)
  const files: BackupFile[] = []
  const total = backup.tablespaces.reduce((sum, { bytes }) => sum + bytes, 0)
  let folder = ''
  let reader: TarReader | undefined
  let manifestStart: number | undefined
  let endLsn: bigint | undefined
  let damaged: readonly string[] = []
  const onEntry = (entry: TarEntry) => files.push(fileOf(entry, folder, writer.length))
  const onData = (data: Buffer) => writer.write(data)
  for await (const part of backup.parts) {
    if (part.kind === 'data') {
      if (manifestStart === undefined) await reader?.write(part.data)
      else await writer.write(part.data)
      onProgress(writer.length, total)
    } else if (part.kind === 'archive') {
      reader?.end()
      folder = part.tablespace === null ? '' : `pg_tblspc/${part.tablespace}/`
      reader = new TarReader(onEntry, onData)
    } else if (part.kind === 'manifest') {
      reader?.end()
      manifestStart = writer.length
    } else {
      endLsn = part.lsn
      damaged = part.damaged
    }
  }
  if (endLsn === undefined || manifestStart === undefined) {
    throw new AkashiError('unavailable', 'the server did not complete the base backup', {
      hint: 'check the server log, then take the backup again',
    })
  }
  const size = writer.length - manifestStart
  files.push({ path: MANIFEST_FILE, kind: 'file', mode: 0o600, size, offset: manifestStart })
  const packs = await writer.end()
  return {
    files,
    packs: packs.map((pack) => ({ ...pack, offsets: [...pack.offsets] })),
    length: writer.length,
    endLsn,
    damaged,
  }
}

function fileOf(entry: TarEntry, folder: string, offset: number): BackupFile {
  const { path, kind, mode, size, target } = entry
  const common = { path: `${folder}${path.replace(/^\.\//, '')}`, kind, mode, size, offset }
  return kind === 'link' ? { ...common, target } : common
}

async function uploadParent(
  backupStore: BackupStore,
  replication: Replication,
  parent: BackupManifest,
  signal?: AbortSignal,
): Promise<void> {
  const index = await readIndex(backupStore, parent.id, signal)
  const manifest = await readFile(backupStore, index, MANIFEST_FILE, signal)
  await replication.uploadManifest(
    (async function* chunks() {
      for (let at = 0; at < manifest.length; at += UPLOAD_BYTES)
        yield manifest.subarray(at, at + UPLOAD_BYTES)
    })(),
  )
}

const UPLOAD_BYTES = 64 * 1024

const OLDEST_MAJOR = 15
const INCREMENTAL_MAJOR = 17

function assertPossible(facts: ServerFacts, kind: BackupKind): void {
  if (facts.major < OLDEST_MAJOR) {
    throw new AkashiError('unsupported', `PostgreSQL ${facts.version} is too old for backups`, {
      hint: `the oldest supported version is ${OLDEST_MAJOR}`,
    })
  }
  if (kind === 'full') return
  if (facts.major < INCREMENTAL_MAJOR) {
    throw new AkashiError('unsupported', `PostgreSQL ${facts.version} has no incremental backups`, {
      hint: `they require ${INCREMENTAL_MAJOR}; take a full backup: akashi backup full`,
    })
  }
  if (facts.summarizeWal !== true) {
    throw new AkashiError('unsupported', 'WAL summarization is off on the server', {
      hint: 'alter system set summarize_wal = on, reload, then take a full backup first',
    })
  }
  if (!facts.dataChecksums && !facts.walLogHints) {
    throw new AkashiError('unsupported', 'the server changes hint bits without WAL', {
      hint: 'enable data checksums or wal_log_hints, or take full backups only: akashi backup full',
    })
  }
}

function newId(now: Date, kind: BackupKind): string {
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, '')
  return `${stamp}-${kind}-${randomBytes(ID_RANDOM_BYTES).toString('hex')}`
}
