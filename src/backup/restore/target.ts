import { AkashiError } from '../../foundation/index.ts'
import { formatLsn, isLsn, type Lsn, parseLsn } from '../../postgres/index.ts'
import { currentTimeline, type RestorableRange, restorableIntervals } from '../catalog/window.ts'

/** The recovery target. */
export type Target =
  | { readonly kind: 'latest' }
  /** Microseconds since 1970: all transactions committed up to then. */
  | { readonly kind: 'time'; readonly us: bigint }
  | { readonly kind: 'lsn'; readonly lsn: Lsn }
  /** That transaction and all committed before it. */
  | { readonly kind: 'xid'; readonly xid: bigint }
  /** A restore point: `akashi backup point NAME`, `pg_create_restore_point`. */
  | { readonly kind: 'name'; readonly name: string }

const LIKE_TIME = /^\d{4}-\d{2}-\d{2}/
const TIME =
  /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,6}))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?$/i
const MICROSECOND_DIGITS = 6
const XID = /^\d+$/
const MAX_NAME_BYTES = 63

/**
 * `latest`, a time (`2026-11-21T05:20:00Z`; UTC by default), a position (`0/16B3748`), a transaction number, or
 * the name of a restore point.
 */
export function parseTarget(text: string): Target {
  if (text === 'latest') return { kind: 'latest' }
  if (isLsn(text)) return { kind: 'lsn', lsn: parseLsn(text) }
  if (XID.test(text)) return { kind: 'xid', xid: BigInt(text) }
  if (LIKE_TIME.test(text)) {
    const us = parseTime(text)
    if (us !== undefined) return { kind: 'time', us }
  } else if (text !== '' && Buffer.byteLength(text) <= MAX_NAME_BYTES) {
    return { kind: 'name', name: text }
  }
  throw new AkashiError('invalid_input', `${text} is not a valid restore target`, {
    hint: 'use latest, a time such as 2026-11-21T05:20:00Z, a position such as 0/16B3748, a transaction number, or a restore point',
  })
}

function parseTime(text: string): bigint | undefined {
  const [, date, time = '00:00', fraction = '', zone = 'Z'] = TIME.exec(text) ?? []
  const offset = /^[+-]\d{2}$/.test(zone) ? `${zone}:00` : zone.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2')
  const ms = Date.parse(`${date}T${time}${offset.toUpperCase()}`)
  if (date === undefined || Number.isNaN(ms)) return undefined
  // 30 February would silently become a day in March.
  if (!new Date(`${date}T00:00:00Z`).toISOString().startsWith(date)) return undefined
  return BigInt(ms) * 1000n + BigInt(fraction.padEnd(MICROSECOND_DIGITS, '0'))
}

/** ISO 8601 in UTC, to the microsecond. */
export function timeText(us: bigint): string {
  const seconds = new Date(Number(us / 1000n)).toISOString().slice(0, -'.000Z'.length)
  const fraction = String(us % 1_000_000n).padStart(MICROSECOND_DIGITS, '0')
  return `${seconds}.${fraction.endsWith('000') ? fraction.slice(0, 3) : fraction}Z`
}

export function targetText(target: Target): string {
  switch (target.kind) {
    case 'latest':
      return 'latest'
    case 'time':
      return timeText(target.us)
    case 'lsn':
      return formatLsn(target.lsn)
    case 'xid':
      return target.xid.toString()
    case 'name':
      return target.name
  }
}

/**
 * The ranges that may contain the target, the best first. Only the WAL shows whether there is a record to stop
 * at: the caller searches it before starting anything.
 * @throws conflict with the nearest restorable moments if there is none
 */
export function candidates(
  ranges: readonly RestorableRange[],
  target: Target,
  timeline?: number,
): RestorableRange[] {
  const wanted = timeline ?? currentTimeline(ranges)
  const own = ranges.filter((range) => range.timeline === wanted).reverse()
  const found = own.filter((range) => mayHold(range, target))
  if (found.length > 0) return target.kind === 'latest' ? farthest(found) : found
  throw unreachable(target, own)
}

function mayHold(range: RestorableRange, target: Target): boolean {
  switch (target.kind) {
    case 'latest':
    case 'name':
      return true
    case 'time':
      return range.fromMs <= Number(target.us / 1000n) && Number(target.us / 1000n) <= range.toMs
    case 'lsn':
      return range.fromLsn <= target.lsn && target.lsn <= range.toLsn
    case 'xid':
      return low(BigInt(range.backup.nextXid)) <= low(target.xid)
  }
}

/** Newest backup first, except those whose WAL ends earlier. */
function farthest(ranges: readonly RestorableRange[]): RestorableRange[] {
  return [...ranges].sort((a, b) => (a.toLsn === b.toLsn ? b.fromMs - a.fromMs : b.toLsn > a.toLsn ? 1 : -1))
}

/** Transaction numbers in WAL have no epoch. */
export function low(xid: bigint): bigint {
  return xid & 0xffff_ffffn
}

export function unreachable(target: Target, own: readonly RestorableRange[]): AkashiError {
  const [newest] = own
  if (newest === undefined) {
    return new AkashiError('not_found', 'there is no complete backup to restore from', {
      hint: 'take one: akashi backup full',
    })
  }
  const intervals = restorableIntervals(own.toReversed(), newest.timeline)
  const nearest = target.kind === 'time' ? nearestTimes(intervals, Number(target.us / 1000n)) : []
  const windows = intervals.map(({ fromMs, toMs }) => `${iso(fromMs)} to ${iso(toMs)}`).join(', ')
  const positions = `${formatLsn(own.at(-1)?.fromLsn ?? 0n)} to ${formatLsn(newest.toLsn)}`
  return new AkashiError('conflict', `${targetText(target)} cannot be restored`, {
    hint:
      nearest.length > 0
        ? `nearest: ${nearest.join(' or ')}; restorable: ${windows}`
        : `restorable: ${windows} (positions ${positions}), or latest`,
    detail: {
      target: targetText(target),
      nearest,
      restorable: intervals.map(({ fromMs, toMs }) => ({ from: iso(fromMs), to: iso(toMs) })),
    },
  })
}

function nearestTimes(
  intervals: readonly { readonly fromMs: number; readonly toMs: number }[],
  ms: number,
): string[] {
  const before = intervals.filter(({ toMs }) => toMs < ms).at(-1)
  const after = intervals.find(({ fromMs }) => fromMs > ms)
  return [
    ...(before === undefined ? [] : [iso(before.toMs)]),
    ...(after === undefined ? [] : [iso(after.fromMs)]),
  ]
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
