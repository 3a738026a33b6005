/** Paths of a log's static resources as C2SP tlog-tiles names them. */
import { TILE_WIDTH } from './tiles.ts'

export interface TilePath {
  /** Level of a tile of hashes, or `entries` for a bundle of entries. */
  readonly level: number | 'entries'
  readonly tile: bigint
  /** Hashes or entries in it: 256 when it is full. */
  readonly width: number
}

/** Levels that a path may name; a tree of 63 bits has 8. */
const MAX_LEVEL = 63
/** Digits of the largest tile index, so that no path makes a number without bounds. */
const MAX_INDEX_DIGITS = 18
const GROUP_DIGITS = 3

/** 1234067 → `x001/x234/067`. */
function encodeIndex(index: bigint): string {
  const digits = index.toString()
  const padded = digits.padStart(Math.ceil(digits.length / GROUP_DIGITS) * GROUP_DIGITS, '0')
  const groups = padded.match(/\d{3}/g) ?? []
  return groups.map((group, place) => (place < groups.length - 1 ? `x${group}` : group)).join('/')
}

/** `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`. */
export function formatTilePath({ level, tile, width }: TilePath): string {
  return `tile/${level}/${encodeIndex(tile)}${width === TILE_WIDTH ? '' : `.p/${width}`}`
}

/** null for anything else. */
export function parseTilePath(path: string): TilePath | null {
  const match = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path)
  const [, kind = '', index = '', partial] = match ?? []
  const digits = index.replace(/\D/g, '')
  if (match === null || digits.length > MAX_INDEX_DIGITS) return null
  const level = kind === 'entries' ? kind : Number(kind)
  const width = partial === undefined ? TILE_WIDTH : Number(partial)
  if (level !== 'entries' && level > MAX_LEVEL) return null
  if (width < 1 || (partial !== undefined && width >= TILE_WIDTH)) return null
  const parsed = { level, tile: BigInt(digits), width } as const
  return formatTilePath(parsed) === path ? parsed : null
}
