/**
 * Object names of backups:
 *
 *   backups/<system id>/keys/<id>.age            data key, wrapped for every recipient
 *   backups/<system id>/base/<id>/manifest.json  put last; without it the backup is incomplete
 *   backups/<system id>/base/<id>/index          which frames contain which file
 *   backups/<system id>/base/<id>/pack-<n>       32 MiB of frames
 *   backups/<system id>/wal/<timeline>/<range>   WAL from one position to another (see wal/names.ts)
 *   backups/<system id>/history/<timeline>       ancestors of a timeline
 *   backups/<system id>/gaps/<timeline>/<range>  WAL known to be lost
 *
 *   audit-copies/near/<system id>/<id>/…         sealed rows of the ledger's logs, for some weeks (see audit-copy)
 *   audit-copies/cold/<system id>/<id>/…         the same for years, for a colder tier or another store, with the data key
 */
const ROOT = 'backups/'
const PACK_DIGITS = 6
const TIMELINE_DIGITS = 8
const GAP_DIGITS = 16

export const backupsPrefix = ROOT

export function systemPrefix(systemId: string): string {
  return `${ROOT}${systemId}/`
}

export function dataKeyPrefix(systemId: string): string {
  return `${systemPrefix(systemId)}keys/`
}

export function dataKeyName(systemId: string, id: string): string {
  return `${dataKeyPrefix(systemId)}${id}.age`
}

export function basePrefix(systemId: string): string {
  return `${systemPrefix(systemId)}base/`
}

export function manifestName(systemId: string, id: string): string {
  return `${basePrefix(systemId)}${id}/manifest.json`
}

export function indexName(systemId: string, id: string): string {
  return `${basePrefix(systemId)}${id}/index`
}

export function packName(systemId: string, id: string, number: number): string {
  return `${basePrefix(systemId)}${id}/pack-${String(number).padStart(PACK_DIGITS, '0')}`
}

export function walPrefix(systemId: string): string {
  return `${systemPrefix(systemId)}wal/`
}

export function timelineHex(timeline: number): string {
  return timeline.toString(16).toUpperCase().padStart(TIMELINE_DIGITS, '0')
}

export function historyPrefix(systemId: string): string {
  return `${systemPrefix(systemId)}history/`
}

export function historyName(systemId: string, timeline: number): string {
  return `${historyPrefix(systemId)}${timelineHex(timeline)}`
}

export function gapPrefix(systemId: string): string {
  return `${systemPrefix(systemId)}gaps/`
}

/** Positions as 16 hexadecimal digits. */
export function gapName(systemId: string, gap: { timeline: number; from: bigint; to: bigint }): string {
  const [from, to] = [gap.from, gap.to].map((lsn) => lsn.toString(16).padStart(GAP_DIGITS, '0'))
  return `${gapPrefix(systemId)}${timelineHex(gap.timeline)}/${from}-${to}`
}

/** Tier of a copy of the logs. */
export type CopyTier = 'near' | 'cold'

/** Of all clusters; may be in a store of its own. */
export const coldCopiesPrefix = 'audit-copies/cold/'

export function auditCopyPrefix(tier: CopyTier, systemId: string): string {
  return tier === 'cold' ? `${coldCopiesPrefix}${systemId}/` : `audit-copies/${tier}/${systemId}/`
}

/** The data key of a copy beside its cold tier, which can be read without the other store. */
export function auditCopyKey(systemId: string, id: string): string {
  return `${auditCopyPrefix('cold', systemId)}${id}/key.age`
}

export function auditCopyManifest(tier: CopyTier, systemId: string, id: string): string {
  return `${auditCopyPrefix(tier, systemId)}${id}/manifest.json`
}

export function auditCopyPart(tier: CopyTier, systemId: string, id: string, number: number): string {
  return `${auditCopyPrefix(tier, systemId)}${id}/part-${String(number).padStart(PACK_DIGITS, '0')}`
}
