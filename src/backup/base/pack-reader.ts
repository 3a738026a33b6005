import { given } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { DataKeys } from '../store/data-keys.ts'
import { decodeHeader, MAX_HEADER_BYTES } from '../store/header.ts'
import { damagedObject, FRAME_BYTES, type ObjectCipher, objectCipher, openFrame } from '../store/sealing.ts'
import { readObject } from '../store/transfer.ts'
import type { BackupIndex } from './backup-index.ts'
import type { PackEntry } from './pack-writer.ts'

/** Packs fetched ahead of the reader. */
const PACKS_AHEAD = 1
/** Frames decrypted ahead of the reader. */
const FRAMES_AHEAD = 4

export interface PackSource {
  readonly store: ObjectStore
  readonly keys: DataKeys
  readonly signal?: AbortSignal | undefined
}

/** A pack is fetched in parts if less than this share of it is wanted. */
const WHOLE_PACK_SHARE = 0.5

/**
 * All frames of a backup, or the wanted ones, in order. Each pack is fetched once, as a whole or, if little of it
 * is wanted, frame by frame.
 */
export async function* readFrames(
  source: PackSource,
  index: BackupIndex,
  wanted: (frame: number) => boolean = () => true,
): AsyncGenerator<{ readonly frame: number; readonly data: Buffer }, void, undefined> {
  const packs = index.packs.filter(({ firstFrame, offsets }) =>
    offsets.some((_, i) => wanted(firstFrame + i)),
  )
  const fetching: Promise<OpenedPack>[] = []
  for (let next = 0, read = 0; read < packs.length; read += 1) {
    for (; next < packs.length && next <= read + PACKS_AHEAD; next += 1) {
      const pack = packs[next]
      if (pack === undefined) break
      const fetched = fetchPack(source, pack, wanted)
      fetched.catch(() => undefined)
      fetching.push(fetched)
    }
    const fetched = await fetching.shift()
    if (fetched !== undefined) yield* openPack(fetched, wanted)
  }
}

/** Bytes of the stream from `offset`, fetching only the frames that contain them. */
export async function readRange(
  source: PackSource,
  index: BackupIndex,
  offset: number,
  length: number,
): Promise<Buffer> {
  const parts: Buffer[] = []
  for (let at = offset; at < offset + length; ) {
    const frame = Math.floor(at / FRAME_BYTES)
    const data = await readFrame(source, index, frame)
    const from = at - frame * FRAME_BYTES
    const part = data.subarray(from, from + offset + length - at)
    parts.push(part)
    at += part.length
    if (part.length === 0) break
  }
  return Buffer.concat(parts)
}

async function readFrame(source: PackSource, index: BackupIndex, frame: number): Promise<Buffer> {
  const pack = index.packs.find(
    ({ firstFrame, offsets }) => frame >= firstFrame && frame < firstFrame + offsets.length,
  )
  const start = pack?.offsets[frame - pack.firstFrame]
  if (pack === undefined || start === undefined) throw damagedObject('an index', 'a frame is missing')
  const end = pack.offsets[frame - pack.firstFrame + 1] ?? pack.size
  const cipher = await openHeader(
    source,
    pack,
    await fetchRange(source, pack, 0, Math.min(pack.size, MAX_HEADER_BYTES)),
  )
  return openFrame(cipher, frame - pack.firstFrame, false, await fetchRange(source, pack, start, end))
}

interface OpenedPack {
  readonly pack: PackEntry
  readonly cipher: ObjectCipher
  /** Returns a sealed frame by its number in the pack. */
  readonly frame: (number: number) => Buffer
}

async function fetchPack(
  source: PackSource,
  pack: PackEntry,
  wanted: (frame: number) => boolean,
): Promise<OpenedPack> {
  const runs = runsOf(pack, wanted)
  const bytes = runs.reduce((sum, { start, end }) => sum + end - start, 0)
  if (bytes >= pack.size * WHOLE_PACK_SHARE) return fetchWhole(source, pack)
  const head = await fetchRange(source, pack, 0, Math.min(pack.size, MAX_HEADER_BYTES))
  const cipher = await openHeader(source, pack, head)
  const parts = await Promise.all(
    runs.map(async ({ start, end }) => ({ start, bytes: await fetchRange(source, pack, start, end) })),
  )
  return {
    pack,
    cipher,
    frame: (number) => {
      const start = pack.offsets[number] ?? 0
      const part = parts.findLast((one) => one.start <= start)
      const at = start - (part?.start ?? 0)
      return (part?.bytes ?? head).subarray(at, at + (pack.offsets[number + 1] ?? pack.size) - start)
    },
  }
}

async function fetchWhole(source: PackSource, pack: PackEntry): Promise<OpenedPack> {
  const bytes = await readObject(source.store, pack.name, source.signal)
  if (bytes.length !== pack.size) throw damagedObject(pack.name, 'its size has changed')
  return {
    pack,
    cipher: await openHeader(source, pack, bytes),
    frame: (number) => bytes.subarray(pack.offsets[number], pack.offsets[number + 1] ?? pack.size),
  }
}

async function openHeader(source: PackSource, pack: PackEntry, bytes: Buffer): Promise<ObjectCipher> {
  const { header } = decodeHeader(pack.name, 'pack', bytes)
  if (header.salt.toString('hex') !== pack.salt) throw damagedObject(pack.name, 'its header was changed')
  return cipherOf(source, pack, header.keyId)
}

/** Byte ranges of adjacent wanted frames. */
function runsOf(pack: PackEntry, wanted: (frame: number) => boolean) {
  const runs: { start: number; end: number }[] = []
  for (const [i, start] of pack.offsets.entries()) {
    if (!wanted(pack.firstFrame + i)) continue
    const end = pack.offsets[i + 1] ?? pack.size
    const last = runs.at(-1)
    if (last?.end === start) last.end = end
    else runs.push({ start, end })
  }
  return runs
}

async function fetchRange(
  { store, signal }: PackSource,
  pack: PackEntry,
  start: number,
  end: number,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  const cancel = given({ signal })
  for await (const chunk of await store.get(pack.name, { range: { start, end }, ...cancel })) {
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

async function cipherOf(source: PackSource, pack: PackEntry, keyId: string): Promise<ObjectCipher> {
  const key = await source.keys.open(keyId, pack.name, source.signal)
  return objectCipher(key.secret, Buffer.from(pack.salt, 'hex'), pack.name)
}

async function* openPack(
  opened: OpenedPack,
  wanted: (frame: number) => boolean,
): AsyncGenerator<{ readonly frame: number; readonly data: Buffer }, void, undefined> {
  const { pack, cipher } = opened
  const opening: { readonly frame: number; readonly data: Promise<Buffer> }[] = []
  for (const i of pack.offsets.keys()) {
    const frame = pack.firstFrame + i
    if (!wanted(frame)) continue
    const data = openFrame(cipher, i, false, opened.frame(i))
    data.catch(() => undefined)
    opening.push({ frame, data })
    if (opening.length < FRAMES_AHEAD) continue
    const first = opening.shift()
    if (first !== undefined) yield { frame: first.frame, data: await first.data }
  }
  for (const { frame, data } of opening) yield { frame, data: await data }
}
