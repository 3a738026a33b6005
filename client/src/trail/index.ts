/** How the trail is read: what the functions of this package and Akashi itself share. */
export { parseExact } from './json.ts'
export { lineageSql } from './lineage.ts'
export {
  type Json,
  rowColumns,
  type StoredRow,
  type TrailRow,
  toTrailRow,
  type Values,
} from './row.ts'
export { type FieldChange, historySql, type RecordVersion, toVersion } from './versions.ts'
