/** Who sees and does what with events, remediation and the results of hooks: a table, checked by doing it. */
import { beforeAll, describe, expect, it } from 'vitest'
import { type DatabaseRole, person } from '../../src/postgres/index.ts'
import { recordEvent } from '../../src/security/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const app = database.open('app')
const mine = person({ userId: '0199d3a0-0000-7000-8000-00000000000a' })
const theirs = person({ userId: '0199d3a0-0000-7000-8000-00000000000b' })
let event = { id: '', at: '' }

beforeAll(async () => {
  const record = (actor: typeof mine) =>
    app.transaction(actor, (session) =>
      recordEvent(session, { event_type: 'password_changed', user_name: 'u' }),
    )
  await record(mine)
  const id = await record(theirs)
  await database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ at: string }>(
      'select created_at::text as at from akashi_security.security_events where id = $1',
      [id],
    )
    event = { id, at: rows[0]?.at ?? '' }
    await session.query(
      `insert into akashi_security.security_event_hook_results (event_id, event_created_at, hook_name, hook_type, result)
       values ($1, $2, 'pager', 'webhook', 'success')`,
      [event.id, event.at],
    )
  })
})

type Role = Exclude<DatabaseRole, 'owner'>
const columnsOfAuditor = 'id, created_at, event_type, severity, source_ip, user_id'

/** Rows that come back or are written; `no` is refused. In the order of `roles`. */
const roles: readonly Role[] = ['app', 'worker', 'security_admin', 'reader', 'backup']
const matrix: readonly (readonly [what: string, statement: string, ...outcomes: (number | 'no')[]])[] = [
  ['read events', 'select * from akashi_security.security_events', 1, 2, 2, 'no', 'no'],
  [
    'read events, masked columns left out',
    `select ${columnsOfAuditor} from akashi_security.security_events`,
    1,
    2,
    2,
    2,
    'no',
  ],
  ['read events with remediation', 'select * from akashi_security.v_security_events', 'no', 2, 2, 'no', 'no'],
  ['read the masked view', 'select * from akashi_security.v_security_events_masked', 'no', 2, 2, 2, 'no'],
  [
    'add an event',
    `insert into akashi_security.security_events (event_type, event_category, severity, source_service)
     values ('x', 'system', 'info', 'x') returning 1`,
    'no',
    1,
    'no',
    'no',
    'no',
  ],
  [
    'change an event',
    `update akashi_security.security_events set severity = 'info' returning 1`,
    'no',
    'no',
    'no',
    'no',
    'no',
  ],
  [
    'remove an event',
    'delete from akashi_security.security_events returning 1',
    'no',
    'no',
    'no',
    'no',
    'no',
  ],
  [
    'open a remediation',
    'insert into akashi_security.remediations (event_id, event_created_at) values ($1, $2) returning 1',
    'no',
    1,
    1,
    'no',
    'no',
  ],
  [
    'back-date a remediation',
    `update akashi_security.remediations set resolved_at = 'epoch' returning 1`,
    'no',
    'no',
    'no',
    'no',
    'no',
  ],
  [
    'remove a remediation',
    'delete from akashi_security.remediations returning 1',
    'no',
    'no',
    'no',
    'no',
    'no',
  ],
  ['read notes', 'select remediation_notes from akashi_security.remediations', 'no', 0, 0, 'no', 'no'],
  ['read results of hooks', 'select * from akashi_security.security_event_hook_results', 'no', 1, 1, 1, 'no'],
  [
    'add a result of a hook',
    `insert into akashi_security.security_event_hook_results (event_id, event_created_at, hook_name, hook_type, result)
     values ($1, $2, 'pager', 'webhook', 'failure') returning 1`,
    'no',
    1,
    'no',
    'no',
    'no',
  ],
  [
    'change a result of a hook',
    `update akashi_security.security_event_hook_results set result = 'success' returning 1`,
    'no',
    'no',
    'no',
    'no',
    'no',
  ],
]

class Undo extends Error {}

async function tryAs(role: Role, statement: string): Promise<number | 'no'> {
  let rows: number | 'no' = 'no'
  try {
    await database.open(role).transaction(mine, async (session) => {
      const values = statement.includes('$1') ? [event.id, event.at] : []
      rows = (await session.query(statement, values)).rows.length
      throw new Undo()
    })
  } catch (error) {
    if (!(error instanceof Undo)) expect(error).toMatchObject({ code: 'forbidden' })
  }
  return rows
}

for (const [what, statement, ...outcomes] of matrix) {
  describe(what, () => {
    it.each(roles.map((role, at) => [role, outcomes[at]] as const))('as %s: %s', async (role, outcome) => {
      expect(await tryAs(role, statement)).toBe(outcome)
    })
  })
}

it('events, remediation and results of hooks are refused to whoever is anonymous', async () => {
  const { rows } = await app.transaction(tester, (session) =>
    session.query('select 1 from akashi_security.security_events'),
  )
  expect(rows).toEqual([])
})

it('results of hooks cannot be changed by their owner either', async () => {
  const change = database
    .open('owner')
    .transaction(tester, (session) =>
      session.query(`update akashi_security.security_event_hook_results set result = 'success'`),
    )
  await expect(change).rejects.toMatchObject({ code: 'append_only' })
})

it('results of hooks are kept like events: by day, 90 days hot', async () => {
  const { rows } = await database.asSuperuser((session) =>
    session.query(
      `select interval, hot_retention::text, at_expiry, total_retention::text, append_only from akashi_lifecycle.policies
       where schema_name = 'akashi_security' order by table_name`,
    ),
  )
  expect(rows).toHaveLength(2)
  expect(rows[0]).toEqual(rows[1])
})
