/**
 * A witness (https://c2sp.org/tlog-witness): keeps the latest checkpoint of each log it knows and cosigns a
 * newer one only when that continues it. Its state is one file per log, `<SHA-256 of the origin>`, which
 * holds the checkpoint as cosigned.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import {
  AkashiError,
  type Clock,
  errno,
  syncFolder,
  systemClock,
  tryLock,
} from '../../../foundation/index.ts'
import {
  type CosignerKey,
  cosign,
  formatNote,
  formatVerifierKey,
  parseNote,
  type VerifierKey,
  verifyNote,
} from '../../../keys/index.ts'
import { type Checkpoint, parseCheckpoint } from '../checkpoint.ts'
import { emptyRoot, verifyConsistency } from '../merkle.ts'
import { type AddCheckpoint, parseAddCheckpoint } from './request.ts'

export interface WitnessOptions {
  /** Where the state is kept; only one witness at a time uses it. */
  readonly folder: string
  readonly key: CosignerKey
  /** The logs it knows: a key's name is the log's origin; a log may have several keys. */
  readonly logs: readonly VerifierKey[]
  readonly clock?: Clock
}

/** A response of the protocol, to be sent over HTTP as it is. */
export interface WitnessResponse {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422
  readonly contentType: string
  readonly body: string
}

const TEXT = 'text/plain; charset=utf-8'
const FOLDER_MODE = 0o700

export class Witness {
  readonly #options: WitnessOptions
  readonly #clock: Clock
  readonly #lock: { release(): void }
  /** Requests one after the other: comparing with the latest checkpoint and keeping the new one are one step. */
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(options: WitnessOptions, lock: { release(): void }) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#lock = lock
  }

  /** `conflict` while another witness uses the folder. */
  static async open(options: WitnessOptions): Promise<Witness> {
    if (new Set(options.logs.map((log) => formatVerifierKey(log))).size < options.logs.length) {
      throw new AkashiError('invalid_config', 'the key of a log is given twice')
    }
    await mkdir(options.folder, { recursive: true, mode: FOLDER_MODE })
    const lock = tryLock(join(options.folder, 'lock'))
    if (lock !== undefined) return new Witness(options, lock)
    throw new AkashiError('conflict', `another witness uses ${options.folder}`, {
      hint: 'give each witness its own folder',
    })
  }

  /** Handles one request; fails only when the state cannot be read or stored. */
  addCheckpoint(body: Uint8Array): Promise<WitnessResponse> {
    const response = this.#tail.then(() => this.#add(body))
    this.#tail = response.catch(() => undefined)
    return response
  }

  /** The latest cosigned checkpoint of the log whose origin has this SHA-256 (hex); null when there is none. */
  async checkpoint(originHash: string): Promise<string | null> {
    const known = this.#options.logs.some((log) => hashOf(log.name) === originHash)
    return known ? await this.#read(originHash) : null
  }

  async close(): Promise<void> {
    await this.#tail
    this.#lock.release()
  }

  async #add(body: Uint8Array): Promise<WitnessResponse> {
    const request = attempt(() => parseAddCheckpoint(body))
    const claimed = request === null ? null : attempt(() => parseCheckpoint(parseNote(request.note).text))
    if (request === null || claimed === null) return refusal(400, 'malformed add-checkpoint request')
    const keys = this.#options.logs.filter((log) => log.name === claimed.origin)
    if (keys.length === 0) return refusal(404, 'this witness does not know this log')
    const signed = attempt(() => verifyNote(request.note, keys))
    if (signed === null) return refusal(403, 'the checkpoint is not signed by the log')
    const { text, signers } = signed
    const latest = await this.#latest(claimed.origin)
    const refused = judge(request, claimed, latest)
    if (refused !== null) return refused
    const cosignature = await cosign(this.#options.key, text, this.#clock.now())
    const trusted = parseNote(request.note).signatures.filter((each) =>
      signers.some((signer) => signer.name === each.name),
    )
    const note = formatNote({ text, signatures: [...trusted, cosignature] })
    await this.#write(hashOf(claimed.origin), note)
    return { status: 200, contentType: TEXT, body: note.slice(note.lastIndexOf('\n', note.length - 2) + 1) }
  }

  async #latest(origin: string): Promise<Checkpoint> {
    const note = await this.#read(hashOf(origin))
    return note === null ? { origin, size: 0n, root: emptyRoot } : parseCheckpoint(parseNote(note).text)
  }

  async #read(name: string): Promise<string | null> {
    try {
      return await readFile(join(this.#options.folder, name), 'utf8')
    } catch (error) {
      if (errno(error) === 'ENOENT') return null
      throw error
    }
  }

  /** Durable before the response is sent. */
  async #write(name: string, note: string): Promise<void> {
    const path = join(this.#options.folder, name)
    const file = await open(`${path}.new`, 'w', 0o600)
    try {
      await file.writeFile(note)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.new`, path)
    await syncFolder(this.#options.folder)
  }
}

/** The checks of the protocol (version 1.0.0) against the latest checkpoint, in its order; null when all pass. */
function judge(
  { oldSize, proof }: AddCheckpoint,
  { size, root }: Checkpoint,
  latest: Checkpoint,
): WitnessResponse | null {
  if (oldSize > size) return refusal(400, 'the old size is above that of the checkpoint')
  if (oldSize !== latest.size) return conflict(latest)
  if (size === 0n && !root.equals(emptyRoot)) return refusal(422, 'the root of an empty log is wrong')
  // For equal sizes the proof is empty, and does not compare the roots.
  if (size === latest.size && proof.length === 0 && !root.equals(latest.root)) return conflict(latest)
  if (verifyConsistency(oldSize, size, latest.root, root, proof)) return null
  return refusal(
    422,
    `the checkpoint does not continue the one of size ${oldSize} that this witness has seen`,
  )
}

/** Says which size the log must continue. */
function conflict({ size }: Checkpoint): WitnessResponse {
  return { status: 409, contentType: 'text/x.tlog.size', body: `${size}\n` }
}

function refusal(status: 400 | 403 | 404 | 422, why: string): WitnessResponse {
  return { status, contentType: TEXT, body: `${why}\n` }
}

/** null if it does not parse or verify; other failures are thrown. */
function attempt<T>(work: () => T): T | null {
  try {
    return work()
  } catch (error) {
    if (error instanceof AkashiError) return null
    throw error
  }
}

/** Lowercase hex, as the monitoring path of a log has it. */
export function hashOf(origin: string): string {
  return createHash('sha256').update(origin).digest('hex')
}
