/** Which files of a cluster one table needs: every catalog, and of all other relations its own. */
import type { BackupIndex } from '../base/backup-index.ts'
import { forkOf } from '../restore/incremental-file.ts'
import type { Keep } from '../restore/write-files.ts'
import { parseTableName, type TableName, tableText } from './name.ts'

type Relation = BackupIndex['relations'][number]

const FOLDER = /^(base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)\//
const RELATION_FILE = /^((?:base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)\/\d+)(?:_fsm|_vm|_init)?$/
const SEQUENCE = 'S'

export interface Wanted {
  readonly table: TableName
  /** Relations that are needed too, by what was learned of the catalogs. */
  readonly oids: ReadonlySet<number>
}

/** Relations whose files are left out. Sequences are a page each, and stay. */
export function leftOut(index: BackupIndex, wanted: Wanted): Relation[] {
  const name = tableText(wanted.table)
  return index.relations.filter(
    (relation) =>
      relation.kind !== SEQUENCE &&
      !wanted.oids.has(relation.oid) &&
      tableText(relation) !== name &&
      (relation.root == null || tableText(parseTableName(relation.root)) !== name),
  )
}

/**
 * Indexes of the table are left out as well: they are made anew. What the index of the backup does not name (a
 * catalog, a relation that came while the backup was taken) is kept. Of other databases only the folders are.
 */
export function keepFor(index: BackupIndex, wanted: Wanted): Keep {
  const out = new Set(
    leftOut(index, wanted).flatMap(({ path, toast, toastIndex = null }) =>
      [path, toast, toastIndex].filter((each) => each !== null),
    ),
  )
  const own = new Set(index.relations.map(({ path }) => databaseOf(path)))
  return (path) => {
    const [, main] = RELATION_FILE.exec(forkOf(path).fork) ?? []
    if (main === undefined) return true
    return !out.has(main) && (own.size === 0 || own.has(databaseOf(main)))
  }
}

/** `16384` of `base/16384/24601`; a database has the same number in every tablespace. */
function databaseOf(path: string): string | undefined {
  return FOLDER.exec(path)?.[1]?.split('/').at(-1)
}
