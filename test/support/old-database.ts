import type { TestDatabase } from './test-database.ts'

/**
 * A database that was made long ago, for rows of an earlier time that a test inserts itself. Its records of the catalog
 * are not what was sealed any more.
 */
export async function pretendOld(database: TestDatabase): Promise<void> {
  await database.asSuperuser((session) =>
    session.query(`
      alter table akashi_audit.catalog_records disable trigger refuse_change;
      update akashi_audit.catalog_records set row = jsonb_set(row, '{created_at}', '"2000-01-01T00:00:00Z"');
      alter table akashi_audit.catalog_records enable always trigger refuse_change`),
  )
}
