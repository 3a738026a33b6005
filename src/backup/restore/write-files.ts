/** Writes the files of a chain of backups into an empty folder, the full one first, verifying each. */
import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { basename, dirname, join, normalize } from 'node:path'
import { AkashiError, errno } from '../../foundation/index.ts'
import { type BackupFile, type BackupIndex, MANIFEST_FILE } from '../base/backup-index.ts'
import { checkManifest } from '../base/manifest.ts'
import { readFrames } from '../base/pack-reader.ts'
import { readFile, readIndex } from '../base/read.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { manifestName } from '../store/paths.ts'
import { damagedObject, FRAME_BYTES } from '../store/sealing.ts'
import type { BackupManifest } from '../types.ts'
import { forkOf, INCREMENTAL_PREFIX, IncrementalApplier, limitOfFile } from './incremental-file.ts'
import { readChecksums } from './postgres-manifest.ts'

export interface OpenedBackup {
  readonly manifest: BackupManifest
  readonly index: BackupIndex
  /** SHA-256 of each file by path, computed by the server; WAL has none. */
  readonly checksums: ReadonlyMap<string, string>
}

/** Reads and verifies manifest, index and checksums of a backup. */
export async function openBackup(
  backupStore: BackupStore,
  manifest: BackupManifest,
  signal?: AbortSignal,
): Promise<OpenedBackup> {
  await checkManifest(backupStore, manifest, signal)
  const index = await readIndex(backupStore, manifest.id, signal)
  const checksums = readChecksums(await readFile(backupStore, index, MANIFEST_FILE, signal))
  return { manifest, index, checksums }
}

interface Options {
  readonly signal?: AbortSignal
  readonly onBytes?: (bytes: number) => void
}

/** Whether a file, by its path in the data folder, is wanted. */
export type Keep = (path: string) => boolean

const keepAll: Keep = () => true

/** Bytes that {@link writeFiles} will read, for progress. */
export function bytesToWrite(chain: readonly OpenedBackup[], keep: Keep = keepAll): number {
  return chain.reduce((sum, backup, i) => sum + sizeOf(wantedFiles(chain, i, backup, keep)), 0)
}

/** @param chain the full backup first; afterwards the folder has the state of the last one */
export async function writeFiles(
  backupStore: BackupStore,
  chain: readonly OpenedBackup[],
  folder: string,
  options: Options & { readonly keep?: Keep } = {},
): Promise<void> {
  const last = chain.at(-1)
  if (last === undefined) return
  for (const file of last.index.files) {
    if (file.kind === 'folder')
      await mkdir(join(folder, safePath(file.path)), { recursive: true, mode: 0o700 })
  }
  for (const [i, backup] of chain.entries()) {
    const files = wantedFiles(chain, i, backup, options.keep ?? keepAll)
    const open = (file: BackupFile) => openSink(folder, backup, file)
    await scatter(backupStore, backup, files, open, options)
  }
}

/** Verifies every file of a backup against its checksum without writing. */
export async function checkFiles(
  backupStore: BackupStore,
  backup: OpenedBackup,
  options: Options = {},
): Promise<void> {
  const files = backup.index.files.filter(({ kind }) => kind === 'file')
  await scatter(backupStore, backup, files, async () => discard, options)
}

/** Files of one backup that the last of the chain needs. */
function wantedFiles(
  chain: readonly OpenedBackup[],
  position: number,
  backup: OpenedBackup,
  keep: Keep,
): BackupFile[] {
  const isLast = position === chain.length - 1
  const later = chain.slice(position + 1).map(({ index }) => new Set(index.files.map(({ path }) => path)))
  return backup.index.files.filter(({ path, kind }) => {
    if (kind !== 'file' || !keep(targetPath(path))) return false
    // PostgreSQL's manifest does not describe a rebuilt cluster.
    if (path === MANIFEST_FILE) return chain.length === 1
    if (isLast) return true
    // Needed as long as every later backup has only an incremental file of it.
    const incremental = join(dirname(targetPath(path)), INCREMENTAL_PREFIX + basename(targetPath(path)))
    return later.every((paths) => paths.has(incremental))
  })
}

function sizeOf(files: readonly BackupFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}

interface Sink {
  write(data: Buffer): Promise<void>
  /** Called after the last write. */
  end(): void
  close(): Promise<void>
}

const discard: Sink = { write: async () => undefined, end: () => undefined, close: async () => undefined }

async function openSink(folder: string, backup: OpenedBackup, file: BackupFile): Promise<Sink> {
  const path = targetPath(file.path)
  const absolute = join(folder, safePath(path))
  await mkdir(dirname(absolute), { recursive: true, mode: 0o700 })
  if (path === file.path) return wholeSink(await open(absolute, 'w', 0o600))
  const handle = await open(absolute, 'r+').catch((error: unknown) => {
    if (errno(error) !== 'ENOENT') throw error
    throw damagedObject(file.path, 'the backup that it builds on has no such file')
  })
  const { fork, segment } = forkOf(path)
  const limit = backup.index.limits.find((one) => one.path === fork)
  const applier = new IncrementalApplier(
    handle,
    path,
    limit === undefined ? undefined : limitOfFile(limit.block, segment),
  )
  return {
    write: (data) => applier.write(data),
    end: () => applier.end(),
    close: () => handle.close(),
  }
}

function wholeSink(handle: FileHandle): Sink {
  return {
    write: async (data) => void (await handle.writeFile(data)),
    end: () => undefined,
    close: () => handle.close(),
  }
}

/** Writes the bytes of each file to its sink, reading each frame once. */
async function scatter(
  backupStore: BackupStore,
  backup: OpenedBackup,
  files: readonly BackupFile[],
  openFile: (file: BackupFile) => Promise<Sink>,
  { signal, onBytes = () => undefined }: Options,
): Promise<void> {
  const ordered = [...files].sort((a, b) => a.offset - b.offset)
  const wanted = framesOf(ordered)
  const source = { store: backupStore.store, keys: backupStore.keys, signal }
  let next = 0
  let current: OpenFile | undefined
  const advance = async (limit: number): Promise<void> => {
    while (current === undefined && next < ordered.length) {
      const file = ordered[next]
      if (file === undefined || (file.size > 0 && file.offset >= limit)) return
      next += 1
      const opened = { file, sink: await openFile(file), hash: createHash('sha256'), left: file.size }
      if (file.size === 0) await finish(backupStore, backup, opened)
      else current = opened
    }
  }
  try {
    for await (const { frame, data } of readFrames(source, backup.index, (number) => wanted.has(number))) {
      if (signal?.aborted === true) throw new AkashiError('cancelled', 'the restore was cancelled')
      const start = frame * FRAME_BYTES
      const end = start + data.length
      await advance(end)
      while (current !== undefined) {
        const from = current.file.offset + current.file.size - current.left - start
        const part = data.subarray(from, from + current.left)
        current.hash.update(part)
        await current.sink.write(part)
        current.left -= part.length
        onBytes(part.length)
        if (current.left > 0) break
        await finish(backupStore, backup, current)
        current = undefined
        await advance(end)
      }
    }
    await advance(Number.POSITIVE_INFINITY)
  } finally {
    await current?.sink.close().catch(() => undefined)
  }
  if (current !== undefined) {
    throw damagedObject(manifestName(backupStore.systemId, backup.manifest.id), 'packs are missing')
  }
}

interface OpenFile {
  readonly file: BackupFile
  readonly sink: Sink
  readonly hash: Hash
  left: number
}

async function finish(
  backupStore: BackupStore,
  backup: OpenedBackup,
  { file, sink, hash }: OpenFile,
): Promise<void> {
  sink.end()
  await sink.close()
  const expected = backup.checksums.get(file.path)
  if (expected !== undefined && expected !== hash.digest('hex')) {
    throw damagedObject(
      manifestName(backupStore.systemId, backup.manifest.id),
      `${file.path} differs from what the server sent`,
    )
  }
}

function framesOf(files: readonly BackupFile[]): Set<number> {
  const frames = new Set<number>()
  for (const { offset, size } of files) {
    const first = Math.floor(offset / FRAME_BYTES)
    const last = Math.floor((offset + Math.max(0, size - 1)) / FRAME_BYTES)
    if (size > 0) for (let frame = first; frame <= last; frame += 1) frames.add(frame)
  }
  return frames
}

/** Target path of a file of the backup: `base/5/INCREMENTAL.1234` changes `base/5/1234`. */
function targetPath(path: string): string {
  const name = basename(path)
  return name.startsWith(INCREMENTAL_PREFIX)
    ? join(dirname(path), name.slice(INCREMENTAL_PREFIX.length))
    : path
}

/** Refuses paths outside the folder. */
function safePath(path: string): string {
  const normal = normalize(path)
  if (normal.startsWith('/') || normal === '..' || normal.startsWith('../')) {
    throw new AkashiError('integrity', `the backup contains a path outside its folder: ${path}`)
  }
  return normal
}
