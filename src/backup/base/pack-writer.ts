import type { ObjectStore } from '../../object-store/index.ts'
import type { DataKey } from '../store/data-keys.ts'
import { encodeHeader, newHeader } from '../store/header.ts'
import { packName } from '../store/paths.ts'
import {
  FRAME_BYTES,
  MAX_SEALED_BYTES,
  type ObjectCipher,
  objectCipher,
  sealFrame,
} from '../store/sealing.ts'
import { putWithRetries } from '../store/transfer.ts'
import { openSlabs, SLAB_BYTES } from './slabs.ts'

/** Bytes after which a pack is put and the next one started. */
const PACK_BYTES = 32 * 1024 * 1024
/** Frames compressed concurrently. */
const FRAMES_IN_FLIGHT = 4
/** Packs put concurrently; each is held in memory meanwhile, since a put that fails is repeated. */
const PACKS_IN_FLIGHT = 1
/** A full pack also takes the frames that were being sealed. */
const PACK_SLABS = Math.ceil((PACK_BYTES + (FRAMES_IN_FLIGHT + 1) * MAX_SEALED_BYTES) / SLAB_BYTES)
/** Slabs filled while packs are put: enough to keep a fast store busy, and less than a pack. */
const SLABS_AHEAD = 8

/** A pack in the index. */
export interface PackEntry {
  readonly name: string
  /** Hex, as in the pack's header. */
  readonly salt: string
  readonly size: number
  readonly sha256: string
  /** Number of the first frame in the whole backup. */
  readonly firstFrame: number
  /** Offset of each frame in the pack; the last frame ends with the pack. */
  readonly offsets: readonly number[]
}

interface OpenPack {
  readonly name: string
  readonly salt: Buffer
  readonly cipher: ObjectCipher
  readonly firstFrame: number
  readonly offsets: number[]
  /** Contain `size` bytes, the last one in part. */
  readonly slabs: Buffer[]
  size: number
}

/** Splits a byte stream into frames and packs, holding only a few in memory. */
export class PackWriter {
  readonly #store: ObjectStore
  readonly #key: DataKey
  readonly #place: { readonly systemId: string; readonly id: string }
  readonly #signal: AbortSignal | undefined
  #frame = Buffer.allocUnsafe(FRAME_BYTES)
  /** Frame buffers are reused: new ones would make a backup's worth of garbage. */
  readonly #spare: Buffer<ArrayBuffer>[] = []
  readonly #slabs = openSlabs(PACK_SLABS + SLABS_AHEAD)
  #filled = 0
  #frames = 0
  #pack: OpenPack | undefined
  readonly #sealing: { readonly pack: OpenPack; readonly sealed: Promise<readonly Buffer[]> }[] = []
  readonly #putting: Promise<void>[] = []
  readonly #packs: PackEntry[] = []
  #packNumber = 0
  /** Bytes written so far. */
  length = 0

  constructor(
    store: ObjectStore,
    key: DataKey,
    place: { readonly systemId: string; readonly id: string },
    signal?: AbortSignal,
  ) {
    this.#store = store
    this.#key = key
    this.#place = place
    this.#signal = signal
  }

  /** Copies the bytes. Resolves, or returns undefined immediately, when there is room for more. */
  write(data: Buffer): void | Promise<void> {
    if (data.length > FRAME_BYTES - this.#filled) return this.#writeLong(data)
    this.#take(data)
    if (this.#filled === FRAME_BYTES) return this.#cut()
  }

  /** Puts the rest. */
  async end(): Promise<PackEntry[]> {
    if (this.#filled > 0) await this.#cut()
    while (this.#sealing.length > 0) await this.#collect()
    await this.#close()
    await Promise.all(this.#putting)
    return this.#packs.sort((a, b) => a.firstFrame - b.firstFrame)
  }

  async #writeLong(data: Buffer): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const room = FRAME_BYTES - this.#filled
      this.#take(data.subarray(at, at + room))
      at += room
      if (this.#filled === FRAME_BYTES) await this.#cut()
    }
  }

  #take(data: Buffer): void {
    data.copy(this.#frame, this.#filled)
    this.#filled += data.length
    this.length += data.length
  }

  async #cut(): Promise<void> {
    const raw = this.#frame.subarray(0, this.#filled)
    const frame = this.#frame
    this.#frame = this.#spare.pop() ?? Buffer.allocUnsafe(FRAME_BYTES)
    this.#filled = 0
    const pack = await this.#openPack()
    const sealed = sealFrame(pack.cipher, this.#frames - pack.firstFrame, false, raw).finally(() =>
      this.#spare.push(frame),
    )
    // Awaited in order below; until then errors must not be unhandled.
    sealed.catch(() => undefined)
    this.#frames += 1
    this.#sealing.push({ pack, sealed })
    if (this.#sealing.length >= FRAMES_IN_FLIGHT) await this.#collect()
  }

  async #openPack(): Promise<OpenPack> {
    if (this.#pack !== undefined) return this.#pack
    this.#packNumber += 1
    const name = packName(this.#place.systemId, this.#place.id, this.#packNumber)
    const header = newHeader('pack', this.#key.id)
    const pack: OpenPack = {
      name,
      salt: header.salt,
      cipher: objectCipher(this.#key.secret, header.salt, name),
      firstFrame: this.#frames,
      offsets: [],
      slabs: [],
      size: 0,
    }
    this.#pack = pack
    await this.#append(pack, encodeHeader(header))
    return pack
  }

  async #append(pack: OpenPack, data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const filled = pack.size % SLAB_BYTES
      if (filled === 0 && pack.size === pack.slabs.length * SLAB_BYTES)
        pack.slabs.push(await this.#takeSlab())
      const piece = data.subarray(at, at + SLAB_BYTES - filled)
      pack.slabs.at(-1)?.set(piece, filled)
      pack.size += piece.length
      at += piece.length
    }
  }

  /** A failed put releases nothing; its error ends the wait. */
  async #takeSlab(): Promise<Buffer> {
    const failed = new Promise<never>((_, reject) => {
      for (const put of this.#putting) put.catch(reject)
    })
    return await Promise.race([this.#slabs.take(), failed])
  }

  /** Appends the oldest sealed frame to its pack. */
  async #collect(): Promise<void> {
    const next = this.#sealing.shift()
    if (next === undefined) return
    const { pack } = next
    const sealed = await next.sealed
    pack.offsets.push(pack.size)
    for (const piece of sealed) await this.#append(pack, piece)
    if (pack.size < PACK_BYTES || pack !== this.#pack) return
    // Frames that are still being sealed belong to this pack too.
    while (this.#sealing.length > 0) await this.#collect()
    await this.#close()
  }

  async #close(): Promise<void> {
    const pack = this.#pack
    if (pack === undefined) return
    this.#pack = undefined
    while (this.#putting.length >= PACKS_IN_FLIGHT) await this.#putting.shift()
    const put = this.#put(pack)
    put.catch(() => undefined)
    this.#putting.push(put)
  }

  async #put(pack: OpenPack): Promise<void> {
    const { name, salt, firstFrame, offsets, slabs } = pack
    const rest = pack.size % SLAB_BYTES
    const body = slabs.map((slab, i) => (i === slabs.length - 1 && rest > 0 ? slab.subarray(0, rest) : slab))
    const { size, sha256 } = await putWithRetries(this.#store, name, body, this.#signal)
    this.#slabs.give(slabs)
    this.#packs.push({ name, salt: salt.toString('hex'), size, sha256, firstFrame, offsets })
  }
}
