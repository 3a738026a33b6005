/** Parses the objects defined in migrations/schema.sql. */

export type ObjectKind = 'role' | 'schema' | 'relation' | 'function' | 'part' | 'other'

/** `[line pattern, kind]`; the captures joined by dots form the name. */
const DEFINITIONS: readonly (readonly [RegExp, ObjectKind])[] = [
  [/^create role (\w+)/, 'role'],
  [/^create schema (\w+)/, 'schema'],
  [/^create (?:table|view) (\w+\.\w+)/, 'relation'],
  [/^create (?:type|sequence) (\w+\.\w+)/, 'other'],
  [/^CREATE OR REPLACE (?:FUNCTION|PROCEDURE) (\w+\.\w+)\(/, 'function'],
  [/^create policy (\w+) on (\w+\.\w+)/, 'part'],
  [/^CREATE (?:CONSTRAINT )?TRIGGER (\w+) .*? ON (\w+\.\w+)/, 'part'],
  [/^CREATE (?:UNIQUE )?INDEX (\w+) ON (?:ONLY )?(\w+)\.\w+/, 'other'],
]
const TABLE = /^create table (\w+\.\w+)/
const VIEW = /^create view (\w+\.\w+)/
const COLUMN = /^ {2}(?:constraint )?"?(\w+)"? /
/** A line of the outermost column list of a view, which ends with the column name. */
const VIEW_COLUMN = /^(?: {1,4}\S(?:.*[ .])?|.* AS )"?(\w+)"?,?$/
const VIEW_END = /;$|^ {3}FROM /

/**
 * All objects of the dump: roles and schemas by name, objects of a schema as `schema.name`, and columns,
 * constraints, triggers and policies of a table as `schema.table.name`.
 */
export function databaseObjects(schema: string): ReadonlyMap<string, ObjectKind> {
  const objects = new Map<string, ObjectKind>()
  let table: string | undefined
  let view: string | undefined
  for (const line of schema.split('\n')) {
    for (const [pattern, kind] of DEFINITIONS) {
      const [, first, second] = pattern.exec(line) ?? []
      if (first !== undefined) objects.set(second === undefined ? first : `${second}.${first}`, kind)
    }
    if (line === ');') table = undefined
    if (VIEW_END.test(line)) view = undefined
    const column = table === undefined ? undefined : COLUMN.exec(line)?.[1]
    if (column !== undefined) objects.set(`${table}.${column}`, 'part')
    const shown = view === undefined ? undefined : VIEW_COLUMN.exec(line)?.[1]
    if (shown !== undefined) objects.set(`${view}.${shown}`, 'part')
    table = TABLE.exec(line)?.[1] ?? table
    view = VIEW.exec(line)?.[1] ?? view
  }
  return objects
}
