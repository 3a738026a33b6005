/** The age of stored objects, independent of wrong clocks. */
import type { CatalogView } from './window.ts'

const DAY_MS = 86_400_000
/**
 * The longest time without a commit while the system runs. Of a longer gap between two moments, only this
 * much counts as running time.
 */
const LONGEST_PAUSE_MS = DAY_MS

/**
 * The moment `retentionMs` of running time before the latest one. Only time in which backups and WAL show
 * that the system ran counts, so that a clock that is or was wrong does not make anything look old.
 */
export function cutoffOf(
  catalog: Pick<CatalogView, 'backups' | 'pieces'>,
  now: Date,
  retentionMs: number,
): number {
  const shown = moments(catalog)
  let later = latestOf(catalog, now)
  let left = retentionMs
  for (const earlier of [...new Set(shown)].sort((a, b) => b - a)) {
    if (earlier >= later) continue
    const ran = Math.min(later - earlier, LONGEST_PAUSE_MS)
    if (left <= ran) return later - left
    left -= ran
    later = earlier
  }
  return later - left
}

/** The current time, limited to what backups and WAL confirm. */
export function latestOf(catalog: Pick<CatalogView, 'backups' | 'pieces'>, now: Date): number {
  const shown = moments(catalog)
  return shown.length === 0 ? now.getTime() : Math.min(now.getTime(), longest(shown) + LONGEST_PAUSE_MS)
}

/** Milliseconds since 1970, by the server's clock then: backups taken, and commits stored. */
export function moments({ backups, pieces }: Pick<CatalogView, 'backups' | 'pieces'>): number[] {
  return [
    ...backups.map(({ stoppedAt }) => Date.parse(stoppedAt)),
    ...pieces.flatMap(({ commitMs }) => (commitMs > 0 ? [commitMs] : [])),
  ]
}

function longest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value))
}
