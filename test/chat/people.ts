import { randomUUID } from 'node:crypto'
import { type Actor, type Database, person, type Session } from '../../src/postgres/index.ts'
import type { TestDatabase } from '../support/index.ts'

/** Somebody with an active account, who acts through the application's role. */
export interface Person {
  readonly id: string
  readonly username: string
  readonly actor: Actor
  /** One statement in a transaction of its own, as this person. */
  ask<R = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<R[]>
  /** Several statements in one transaction, as this person. */
  act<T>(work: (session: Session) => Promise<T>): Promise<T>
}

export async function makePerson(database: TestDatabase, app: Database, username: string): Promise<Person> {
  const id = randomUUID()
  await database.asSuperuser((session) =>
    session.query('insert into akashi_auth.users (id, subject, username, email) values ($1, $2, $2, $3)', [
      id,
      username,
      `${username}@example.com`,
    ]),
  )
  const actor = person({ userId: id })
  const act = <T>(work: (session: Session) => Promise<T>) => app.transaction(actor, work)
  return {
    id,
    username,
    actor,
    act,
    ask: async <R>(text: string, values: readonly unknown[] = []) =>
      (await act((session) => session.query<R>(text, values))).rows,
  }
}
