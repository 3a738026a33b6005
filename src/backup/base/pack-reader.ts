import type { ObjectStore } from '../../object-store/index.ts'
import type { DataKeys } from '../vault/data-keys.ts'
import { decodeHeader, MAX_HEADER_BYTES } from '../vault/header.ts'
import { damagedObject, FRAME_BYTES, type ObjectCipher, objectCipher, openFrame } from '../vault/sealing.ts'
import { readObject } from '../vault/transfer.ts'
import type { BackupIndex } from './backup-index.ts'
import type { PackEntry } from './pack-writer.ts'

/** Packs that are fetched ahead of the reader. */
const PACKS_AHEAD = 1
/** Frames that are opened ahead of the reader. */
const FRAMES_AHEAD = 4

export interface PackSource {
  readonly store: ObjectStore
  readonly keys: DataKeys
  readonly signal?: AbortSignal | undefined
}

/** Every frame of a backup, or those of the wanted packs, in order; each pack is fetched once, as a whole. */
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
      const fetched = fetchPack(source, pack)
      fetched.catch(() => undefined)
      fetching.push(fetched)
    }
    const fetched = await fetching.shift()
    if (fetched !== undefined) yield* openPack(fetched, wanted)
  }
}

/** Bytes of the stream from `offset` on, fetching only the frames that hold them. */
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
  if (pack === undefined || start === undefined) throw damagedObject('an index', 'it lacks a frame')
  const end = pack.offsets[frame - pack.firstFrame + 1] ?? pack.size
  const { store, signal } = source
  const cancel = signal === undefined ? {} : { signal }
  const read = async (from: number, to: number) => {
    const chunks: Buffer[] = []
    for await (const chunk of await store.get(pack.name, { range: { start: from, end: to }, ...cancel })) {
      chunks.push(chunk as Buffer)
    }
    return Buffer.concat(chunks)
  }
  const { header } = decodeHeader(pack.name, 'pack', await read(0, MAX_HEADER_BYTES))
  const cipher = await cipherOf(source, pack, header.keyId)
  return openFrame(cipher, frame - pack.firstFrame, false, await read(start, end))
}

interface OpenedPack {
  readonly pack: PackEntry
  readonly bytes: Buffer
  readonly cipher: ObjectCipher
}

async function fetchPack(source: PackSource, pack: PackEntry): Promise<OpenedPack> {
  const bytes = await readObject(source.store, pack.name, source.signal)
  if (bytes.length !== pack.size) throw damagedObject(pack.name, 'it is not as long as when it was put')
  const { header } = decodeHeader(pack.name, 'pack', bytes)
  if (header.salt.toString('hex') !== pack.salt) throw damagedObject(pack.name, 'its header was changed')
  return { pack, bytes, cipher: await cipherOf(source, pack, header.keyId) }
}

async function cipherOf(source: PackSource, pack: PackEntry, keyId: string): Promise<ObjectCipher> {
  const key = await source.keys.open(keyId, pack.name, source.signal)
  return objectCipher(key.secret, Buffer.from(pack.salt, 'hex'), pack.name)
}

async function* openPack(
  { pack, bytes, cipher }: OpenedPack,
  wanted: (frame: number) => boolean,
): AsyncGenerator<{ readonly frame: number; readonly data: Buffer }, void, undefined> {
  const opening: { readonly frame: number; readonly data: Promise<Buffer> }[] = []
  for (const [i, start] of pack.offsets.entries()) {
    const frame = pack.firstFrame + i
    if (!wanted(frame)) continue
    const data = openFrame(cipher, i, false, bytes.subarray(start, pack.offsets[i + 1] ?? pack.size))
    data.catch(() => undefined)
    opening.push({ frame, data })
    if (opening.length < FRAMES_AHEAD) continue
    const first = opening.shift()
    if (first !== undefined) yield { frame: first.frame, data: await first.data }
  }
  for (const { frame, data } of opening) yield { frame, data: await data }
}
