import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  auditLogs,
  encodeRow,
  entryHash,
  type LogDefinition,
  logs,
  postgresEntrySql,
  type RowText,
  securityEvents,
} from '../../src/audit/index.ts'
import type { Session } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const app = database.open('app')

/** Sessions differ in whatever text output depends on. */
const sessionSettings = [
  'select 1',
  "set timezone = 'Asia/Tokyo'; set datestyle = 'SQL, DMY'; set bytea_output = 'escape'; set extra_float_digits = -3; set intervalstyle = 'sql_standard'; set lc_monetary = 'C'",
  "set timezone = 'America/St_Johns'; set datestyle = 'German'; set bytea_output = 'escape'",
]

async function hashesIn(session: Session, log: LogDefinition): Promise<string[]> {
  const entry = postgresEntrySql(log)
  const { rows } = await session.query<{ hash: string }>(
    `select encode(${entry.hash}, 'hex') as hash from (select r.seq, ${entry.texts} from ${log.schema}.${log.table} r offset 0) t order by seq`,
  )
  return rows.map((row) => row.hash)
}

/** Rows as PostgreSQL prints them with the settings that the specification names. */
async function rowTexts(session: Session, log: LogDefinition): Promise<RowText[]> {
  const columns = Object.entries(log.columns).map(([name, form]) =>
    form === 'text[]'
      ? `to_json("${name}") as "${name}"`
      : form === 'inet'
        ? `case when "${name}" is not null then concat("${name}") end as "${name}"`
        : `"${name}"::text`,
  )
  const { rows } = await session.query<Record<string, string | string[] | null>>(
    `select ${columns.join(', ')} from ${log.schema}.${log.table} r order by r.seq`,
  )
  return rows
}

const anyText = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\u0000', '').toWellFormed())

describe('the canonical encoding', () => {
  it('covers every column of every log', async () => {
    await database.asSuperuser(async (session) => {
      for (const log of logs) {
        const { rows } = await session.query<{ name: string }>(
          'select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attname collate "C"',
          [`${log.schema}.${log.table}`],
        )
        expect(rows.map((row) => row.name)).toEqual(Object.keys(log.columns).sort())
      }
    })
  })

  it('matches the test vector of the specification', async () => {
    const row: RowText = {
      id: '01890a5d-ac96-774b-bcce-b302099a8057',
      created_at: '2026-11-21 05:01:17.402691+00',
      event_type: 'ログイン',
      source_ip: '203.0.113.7',
      event_details: '{"port": 22}',
      salt: `\\x${'00'.repeat(16)}`,
      seq: '7',
      user_id: null,
    }
    const page = await readFile(new URL('../../docs/ledger.md', import.meta.url), 'utf8')
    expect(page).toContain(`\`\`\`\n${encodeRow(securityEvents, row).toString('utf8')}\`\`\``)
    expect(page).toContain(`\`\`\`\n${entryHash(securityEvents, row).toString('hex')}\n\`\`\``)
  })

  it('is injective: rows that differ in any value or column have different encodings', () => {
    const names = Object.keys(auditLogs.columns).filter((name) => auditLogs.columns[name] === 'text')
    const row = fc.dictionary(fc.constantFrom(...names), anyText, { maxKeys: 5 })
    fc.assert(
      fc.property(row, row, (a, b) => {
        const same = JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())
        expect(encodeRow(auditLogs, a).equals(encodeRow(auditLogs, b))).toBe(same)
      }),
    )
  })

  it('is the same in TypeScript and PostgreSQL with any settings of the session', async () => {
    const details = fc.oneof(
      fc.json(),
      fc.constantFrom(
        '{"n": 1.0, "e": 1e400, "m": -0}',
        '{"a": "\\u0007\\"", "ü": [null]}',
        '12345678901234567890.123456789000',
        '""',
        'null',
      ),
    )
    const event = fc.record({
      description: anyText,
      details,
      ip: fc.constantFrom(null, '203.0.113.7', '10.1.2.0/24', '::1', '2001:db8::/32', '::ffff:203.0.113.7'),
      at: fc.constantFrom(
        'epoch',
        '1969-12-31 23:59:59.999999+00',
        '2026-03-29 01:30:00.5+00',
        '9999-12-31 23:59:59.000001+00',
        '2026-11-21 05:01:17.402691+00',
      ),
      fields: fc.oneof(
        fc.constant(null),
        fc.array(anyText, { maxLength: 4 }),
        // Short arrays are encoded in another way than long ones.
        fc.constantFrom(...[16, 17, 40].map((length) => Array.from({ length }, (_, i) => `列${i}`))),
      ),
    })
    const events = fc.sample(event, { numRuns: 200, seed: 20261121 })
    await database.asSuperuser(async (session) => {
      await session.query(
        "select akashi_lifecycle.create_partitions('akashi_security.security_events', d::timestamptz, d::timestamptz) from unnest(array['epoch', '1969-12-31 12:00+00', '2026-03-29', '9999-12-31 12:00+00', '2026-11-21 12:00+00']) d",
      )
      for (const { description, details: json, ip, at, fields } of events) {
        await session.query(
          `insert into akashi_security.security_events (event_type, event_category, severity, source_service, description, event_details, source_ip, created_at)
           values ('t', 'system', 'info', 's', $1, replace($2, '\\u0000', '')::jsonb, $3, $4)`,
          [description, json, ip, at],
        )
        await session.query(
          `insert into akashi_audit.audit_logs (action, context_verified, detail, changed_fields, db_address, old_values) values ($1, true, replace($2, '\\u0000', '')::jsonb, $3, $4, null)`,
          [description, json, fields, ip],
        )
        await session.query(
          `insert into akashi_auth.login_attempts (method, result, user_agent, ip_address, identifier_hash)
           values ('password', 'failure', $1, $2, sha256(convert_to($1, 'UTF8')))`,
          [description, ip],
        )
      }
    })
    for (const log of logs) {
      const computed = await database.asSuperuser(async (session) => {
        await session.query("set timezone = utc; set datestyle = 'ISO, YMD'; set bytea_output = hex")
        return (await rowTexts(session, log)).map((row) => entryHash(log, row).toString('hex'))
      })
      expect(computed.length).toBeGreaterThanOrEqual(200)
      for (const settings of sessionSettings) {
        const inServer = await database.asSuperuser(async (session) => {
          await session.query(settings)
          return await hashesIn(session, log)
        })
        expect(inServer, `${log.log} with ${settings}`).toEqual(computed)
      }
    }
  })

  it('does not change for older rows when a column is added', async () => {
    await database.asSuperuser(async (session) => {
      const before = await hashesIn(session, auditLogs)
      await session.query('alter table akashi_audit.audit_logs add column later text')
      const wider: LogDefinition = { ...auditLogs, columns: { ...auditLogs.columns, later: 'text' } }
      expect(await hashesIn(session, wider)).toEqual(before)
      await session.query('alter table akashi_audit.audit_logs drop column later')
    })
  })

  it('belongs to an application that cannot read what others wrote', async () => {
    const rows = await app.transaction(tester, (session) => hashesIn(session, auditLogs))
    expect(rows).toEqual([])
  })
})
