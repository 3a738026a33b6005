/** Selects the files of a cluster that one table needs: all catalogs and its own files. */
import { parseTableName, type TableName, tableText } from '../../foundation/index.ts'
import type { BackupIndex } from '../base/backup-index.ts'
import { forkOf } from '../restore/incremental-file.ts'
import type { Keep } from '../restore/write-files.ts'

type Relation = BackupIndex['relations'][number]

const FOLDER = /^(base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)\//
const RELATION_FILE = /^((?:base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)\/\d+)(?:_fsm|_vm|_init)?$/
const SEQUENCE = 'S'

export interface Wanted {
  readonly table: TableName
  /** Further relations needed, as found in the recovered catalogs. */
  readonly oids: ReadonlySet<number>
}

/** Relations whose files are left out. Sequences are kept: one page each. */
export function leftOut(index: BackupIndex, wanted: Wanted): Relation[] {
  const name = tableText(wanted.table)
  return index.relations.filter(
    (relation) =>
      relation.kind !== SEQUENCE &&
      !wanted.oids.has(relation.oid) &&
      tableText({ schema: relation.schema, table: relation.name }) !== name &&
      (relation.root == null || tableText(parseTableName(relation.root)) !== name),
  )
}

/**
 * Leaves out indexes of the table too, since they are rebuilt. Keeps files that the index of the backup does not
 * list (catalogs, relations created during the backup). Of other databases keeps the folders only.
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

/** `16384` for `base/16384/24601`; a database has the same number in every tablespace. */
function databaseOf(path: string): string | undefined {
  return FOLDER.exec(path)?.[1]?.split('/').at(-1)
}
