import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { countPending, logs, readHead } from '../../src/audit/index.ts'
import { person } from '../../src/postgres/index.ts'
import { logGenerators, SSHD_LOG_TIMEZONE, SSHD_LOG_YEAR } from '../event-logs/index.ts'
import { archiveEvents, restoreTable } from './keeping.ts'
import { demo, generatedLog, runShown, type Stage, Unexpected } from './stage.ts'
import { tamperSixTimes } from './tampering.ts'

const REAL_LOG = resolve(import.meta.dirname, '../../../shared/data/openssh/OpenSSH_2k.log')
const GENERATED_LINES = 2_000
const GENERATED_SEED = 1
/** Interval of a bar by the length of the log in hours; 6h for longer logs. */
const BARS = [
  { hours: 3, interval: '15m' },
  { hours: 12, interval: '1h' },
]
const SEAL_POLL_MS = 100
/** Normally less than a second; longer on a busy machine. */
const SEALED_WITHIN_MS = 30_000

const hanako = person({ userId: 'a0000001-0000-4000-8000-000000000000' }, { clientIp: '192.0.2.10' })
const taro = person({ userId: 'a0000002-0000-4000-8000-000000000000' }, { clientIp: '192.0.2.20' })

export async function runStory(stage: Stage, options: { readonly generated: boolean }): Promise<void> {
  await protectShop(stage)
  await workInShop(stage)
  await ingestLog(stage, !options.generated && existsSync(REAL_LOG))
  await waitForSeal(stage)
  await stage.terminal.heading(stage.text.verify)
  await stage.run(['verify'])
  await stage.terminal.good(stage.text.clean)
  await proveRow(stage)
  await stage.terminal.heading(stage.text.tamper)
  await stage.terminal.say(stage.text.tamperSaid)
  await tamperSixTimes(stage)
  await archiveEvents(stage)
  await restoreTable(stage)
  await stage.terminal.heading(stage.text.end)
  await stage.terminal.say(stage.text.next)
}

async function protectShop(stage: Stage): Promise<void> {
  const { terminal, text, run } = stage
  await terminal.heading(text.shop)
  await stage.superuser.direct((session) =>
    runShown(stage, session, [
      'create schema shop',
      'create table shop.customers (id integer primary key, name text, email text)',
      'create table shop.orders (id integer primary key, customer integer, total numeric)',
      'grant usage on schema shop to akashi_app',
      'grant select, insert, update, delete on all tables in schema shop to akashi_app',
    ]),
  )
  await terminal.say(text.shopSaid)
  await run(['protect', 'shop.customers', '--subject', 'id', '--digest', 'email'])
  await run(['protect', 'shop.orders', '--subject', 'customer'])
}

async function workInShop({ terminal, text, asShop, ask }: Stage): Promise<void> {
  await terminal.heading(text.work)
  await terminal.say(text.workSaid)
  await asShop(
    'hanako',
    hanako,
    "insert into shop.customers values (1, 'Sato', 'sato@example.jp')",
    'insert into shop.orders values (1001, 1, 12800), (1002, 1, 5400)',
  )
  await asShop(
    'taro',
    taro,
    'update shop.orders set total = 9800 where id = 1001',
    'delete from shop.orders where id = 1002',
  )
  const trail = await ask<{ who: string; signed: boolean; change: string }>(
    `select left(user_id::text, 8) as who, ip_address as from, context_verified as signed,
       operation as change, table_name as table, record_id as key,
       old_values->'total' as before, new_values->'total' as after
from akashi_audit.audit_logs where schema_name = 'shop' order by seq`,
  )
  const seen = trail.map(({ who, signed, change }) => `${who} ${change} ${signed ? 'signed' : 'claimed'}`)
  const expected = [
    'a0000001 INSERT signed',
    'a0000001 INSERT signed',
    'a0000001 INSERT signed',
    'a0000002 UPDATE signed',
    'a0000002 DELETE signed',
  ]
  if (seen.join() !== expected.join()) throw new Unexpected(`${expected.join()} (${seen.join()})`)
  const [customer] = await ask<{ email: unknown }>(
    `select new_values->'email' as email from akashi_audit.audit_logs
where schema_name = 'shop' and table_name = 'customers'`,
  )
  if (customer === undefined || JSON.stringify(customer.email).includes('example.jp')) {
    throw new Unexpected('a digest instead of the e-mail address')
  }
  await terminal.good(text.workDone)
}

async function ingestLog(stage: Stage, real: boolean): Promise<void> {
  const { terminal, text, data, run, ask } = stage
  await terminal.heading(text.events)
  await terminal.say(real ? text.real : text.generated)
  if (!real) {
    const lines = [...logGenerators.sshd(GENERATED_LINES, GENERATED_SEED)]
    await writeFile(generatedLog(data), `${lines.join('\n')}\n`)
  }
  const file = real ? REAL_LOG : relative(data, generatedLog(data))
  const year = real ? '2016' : String(SSHD_LOG_YEAR)
  const timezone = real ? 'Asia/Shanghai' : SSHD_LOG_TIMEZONE
  const args = ['ingest', file, '--format', 'sshd', '--year', year, '--timezone', timezone]
  const first = await run(args, 0, 1)
  if (!/; [1-9]\d* events stored, 0 already known/.test(first.stdout)) throw new Unexpected('new events')
  await terminal.say(text.again)
  const second = await run(args, 0, 1)
  if (!second.stdout.includes('; 0 events stored')) throw new Unexpected('0 new events')
  await terminal.say(text.attackers)
  const top = await ask<{ failures: string }>(
    `select host(source_ip) as address, count(*)::integer as failures
from akashi_security.security_events
where event_type = 'authentication_failure' group by source_ip
order by 2 desc, 1 limit 5`,
  )
  if (top.length !== 5) throw new Unexpected('five addresses')
  await showTimeline(stage)
}

/** Shows the failures in the log over time as bars. */
async function showTimeline({ terminal, text, superuser, run }: Stage): Promise<void> {
  await terminal.say(text.when)
  const type = 'authentication_failure'
  const { rows } = await superuser.transaction(demo, (session) =>
    session.query<{ from: string; to: string; hours: number }>(
      `select date_trunc('hour', min(created_at)) as from, date_trunc('hour', max(created_at)) + interval '1 hour' as to,
         extract(epoch from max(created_at) - min(created_at)) / 3600 as hours
       from akashi_security.security_events where event_type = $1`,
      [type],
    ),
  )
  const [range] = rows
  if (range === undefined) throw new Unexpected('failures')
  const interval = BARS.find(({ hours }) => Number(range.hours) <= hours)?.interval ?? '6h'
  const [from = '', to = ''] = [range.from, range.to].map((time) => time.replace('.000000Z', 'Z'))
  const args = ['events', 'timeline', '--type', type, '--from', from, '--to', to, '--interval', interval]
  const { stdout } = await run(args)
  if (!stdout.includes('█')) throw new Unexpected('bars')
}

async function waitForSeal({ terminal, text, superuser }: Stage): Promise<void> {
  await terminal.heading(text.seal)
  const deadline = performance.now() + SEALED_WITHIN_MS
  for (;;) {
    const { pending, entries } = await superuser.transaction(
      demo,
      async (session) => {
        let waiting = 0
        let sealed = 0
        for (const log of logs) {
          const head = await readHead(session, log.log)
          waiting += await countPending(session, log, head)
          sealed += Number(head?.size ?? 0n)
        }
        return { pending: waiting, entries: sealed }
      },
      { readOnly: true },
    )
    if (pending === 0) {
      await terminal.good(text.sealed(entries))
      return
    }
    if (performance.now() > deadline) throw new Unexpected(`no pending rows (${pending})`)
    await sleep(SEAL_POLL_MS)
  }
}

async function proveRow({ terminal, text, data, run, ask }: Stage): Promise<void> {
  await terminal.heading(text.prove)
  const [row] = await ask<{ id: string }>(
    "select id from akashi_audit.audit_logs where schema_name = 'shop' and operation = 'UPDATE'",
  )
  if (row === undefined) throw new Unexpected('the change of a price')
  const { stdout: key } = await run(['audit', 'key'])
  const [publicKey = ''] = key.split('\n').filter((line) => line.includes('audit_logs'))
  const { stdout: bundle } = await run(['audit', 'prove', row.id, '> proof.json'], 0, 0)
  await writeFile(join(data, 'proof.json'), bundle)
  await terminal.say(text.proveSaid)
  const check = ['audit', 'check', 'proof.json', '--key', publicKey]
  const { stdout: proven } = await run(check)
  if (!proven.includes(row.id)) throw new Unexpected(`a proof of ${row.id}`)
  await terminal.good(text.proven)
  terminal.command('$', "sed -i 's/9800/1/' proof.json")
  await writeFile(join(data, 'proof.json'), bundle.replace('9800', '1'))
  await run(check, 1)
  await terminal.bad(text.forgedProof)
}
