/**
 * What a C2SP tlog-tiles client reads of a log: `checkpoint`, tiles of hashes and bundles of entries. The
 * entries of these logs are hashes of 32 bytes, so they reveal nothing about rows. The server adds only
 * the transport.
 */
import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import type { LogDefinition } from './logs.ts'
import { HASH_BYTES } from './merkle.ts'
import { readHead, tileReader } from './store.ts'
import { parseTilePath } from './tile-paths.ts'
import { TILE_WIDTH } from './tiles.ts'

export interface StaticResource {
  readonly bytes: Buffer
  readonly contentType: string
  readonly cacheControl: string
}

/** Tile levels that a log of 63 bits can have. */
const MAX_STORED_LEVEL = 7

/** Full tiles never change again. */
const FULL = 'public, max-age=31536000, immutable'
/** A partial tile does not change either, but is soon no longer requested. */
const PARTIAL = 'public, max-age=3600'
/** The head moves with every seal. */
const HEAD = 'public, max-age=1'

/** Bytes of the length before each entry of a bundle. */
const LENGTH_BYTES = 2

/**
 * One resource of a log by its path below the log's prefix, e.g. `checkpoint`, `tile/0/x001/234`,
 * `tile/0/000.p/17`, `tile/entries/000`.
 *
 * @throws AkashiError not_found for a path that is none, or whose tile is not that wide (yet)
 */
export async function staticResource(
  database: Database,
  actor: Actor,
  log: LogDefinition,
  path: string,
): Promise<StaticResource> {
  const bytes = await database.transaction(actor, (session) => read(session, log, path), {
    readOnly: true,
    isolation: 'repeatable read',
  })
  if (bytes === undefined) {
    throw new AkashiError('not_found', `log ${log.log} has no ${path}`, {
      hint: 'read checkpoint first: its size determines which tiles exist',
    })
  }
  if (path === 'checkpoint') return { bytes, contentType: 'text/plain; charset=utf-8', cacheControl: HEAD }
  return {
    bytes,
    contentType: 'application/octet-stream',
    cacheControl: path.includes('.p/') ? PARTIAL : FULL,
  }
}

async function read(session: Session, { log }: LogDefinition, path: string): Promise<Buffer | undefined> {
  const head = await readHead(session, log)
  if (head === undefined || head.note === null) return undefined
  if (path === 'checkpoint') return Buffer.from(head.note)
  const parsed = parseTilePath(path)
  if (parsed === null) return undefined
  const { level, tile, width } = parsed
  if (level !== 'entries' && level > MAX_STORED_LEVEL) return undefined
  const perHash = BigInt(TILE_WIDTH) ** BigInt(level === 'entries' ? 0 : level)
  if (tile * BigInt(TILE_WIDTH) + BigInt(width) > head.size / perHash) return undefined
  return level === 'entries'
    ? await entryBundle(session, log, tile * BigInt(TILE_WIDTH), width)
    : await hashTile(session, log, level, tile, width)
}

async function hashTile(
  session: Session,
  log: string,
  level: number,
  tile: bigint,
  width: number,
): Promise<Buffer> {
  const hashes = await tileReader(session, log)({ level, tile })
  if (hashes === undefined || hashes.length < width * HASH_BYTES)
    throw broken(`tile ${tile} of level ${level} of log ${log}`)
  return hashes.subarray(0, width * HASH_BYTES)
}

/** Each entry after its length in two bytes, most significant first. */
async function entryBundle(session: Session, log: string, from: bigint, width: number): Promise<Buffer> {
  const { rows } = await session.query<{ hash: Buffer }>(
    `select entry_hash as hash from akashi_audit.ledger_entries
     where log = $1 and position >= $2 and position < $2::bigint + $3::bigint order by position`,
    [log, from.toString(), width],
  )
  if (rows.length !== width) throw broken(`the entries of log ${log} from ${from} on`)
  const bundle = Buffer.alloc(width * (LENGTH_BYTES + HASH_BYTES))
  for (const [i, { hash }] of rows.entries()) {
    const at = i * (LENGTH_BYTES + HASH_BYTES)
    bundle.writeUInt16BE(HASH_BYTES, at)
    hash.copy(bundle, at + LENGTH_BYTES)
  }
  return bundle
}

function broken(what: string): AkashiError {
  return new AkashiError('integrity', `${what} is incomplete`, { hint: 'run akashi verify' })
}
