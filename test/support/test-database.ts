import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, inject } from 'vitest'
import {
  type Database,
  type DatabaseOptions,
  type DatabaseRole,
  type DirectSession,
  openDatabase,
} from '../../src/postgres/index.ts'
import { CONTEXT_KEY, rolePassword, TEMPLATE } from './settings.ts'
import { superuserSessions } from './superuser-sessions.ts'

/** A database that only the calling test file uses. */
export interface TestDatabase {
  readonly name: string
  /** URL for a role's login; the superuser's for `owner`. */
  url(login: DatabaseRole | 'server'): string
  /** A pool that is closed after the file's tests. */
  open(role: DatabaseRole, options?: Partial<DatabaseOptions>): Database
  /** A connection of the superuser, whom neither grants nor row-level security bind. */
  asSuperuser<T>(work: (session: DirectSession) => Promise<T>): Promise<T>
}

/** Call it at the top of a test file: a clone of the migrated template, dropped after the file's tests. */
export function testDatabase(): TestDatabase {
  return database(`template ${TEMPLATE}`, { contextKey: CONTEXT_KEY })
}

export type EmptyDatabase = TestDatabase

/** The same without any migration. */
export function emptyDatabase(): EmptyDatabase {
  return database('template template0', {})
}

function database(origin: string, signing: Pick<DatabaseOptions, 'contextKey'>): TestDatabase {
  const name = `test_${randomBytes(8).toString('hex')}`
  const opened: Database[] = []
  const url = (role: DatabaseRole | 'server') => {
    const result = new URL(inject('serverUrl'))
    result.pathname = `/${name}`
    if (role !== 'owner') {
      result.username = `akashi_${role}`
      result.password = rolePassword(role)
    }
    return result.href
  }
  const superuser = superuserSessions(() => url('owner'))
  const open = (role: DatabaseRole, options: Partial<DatabaseOptions> = {}) => {
    const result = openDatabase({ url: url(role), role, ...signing, ...options })
    opened.push(result)
    return result
  }
  const onServer = async (statement: string) => {
    const server = openDatabase({ url: inject('serverUrl'), role: 'owner' })
    try {
      await server.direct((session) => session.query(statement))
    } finally {
      await server.close()
    }
  }
  beforeAll(() => onServer(`create database ${name} ${origin}`))
  afterAll(async () => {
    await superuser.close()
    await Promise.all(opened.map((each) => each.close()))
    await onServer(`drop database ${name} with (force)`)
  })
  return {
    name,
    url,
    open,
    asSuperuser: (work) => superuser.run(work),
  }
}
