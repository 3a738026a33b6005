/** A person erased as their operator does it: in the rows, the trail, the archive, and a backup from before. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Erasure } from '@akashi/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { akashi, akashiUp, type Running } from '../../scripts/akashi-process.ts'
import {
  checkErasureCertificate,
  createUser,
  erasureVerifierKey,
  readUser,
} from '../../src/identity/index.ts'
import { type Keyring, openKeyring, openPersonVault, type PersonVault } from '../../src/keys/index.ts'
import type { ArchiveRow } from '../../src/lifecycle/index.ts'
import { openDatabase, type Session } from '../../src/postgres/index.ts'
import { ask, reachableFolder, removeDataDir } from '../support/embedded.ts'
import { tester } from '../support/tester.ts'

const MINUTES_MS = 300_000
const MONTH_MS = 32 * 86_400_000
const NOTE = 'allergic to penicillin'
const NICKNAME = 'Hana-chan'
const EMAIL = 'hanako@example.com'
const NAME = 'Hanako Yamada'
const place = { table: 'public.patients', column: 'note', row: '1' }

let data: string
let to: string
let running: Running | undefined
let keyring: Keyring
let vault: PersonVault
let superuser = ''
let person = ''
/** A position of the log before the erasure. */
let before = ''

async function document<T>(args: readonly string[], folder = data): Promise<T> {
  const outcome = await akashi([...args, '--json', '--data', folder])
  expect(outcome.status, outcome.stderr + outcome.stdout.slice(0, 2_000)).toBe(0)
  return JSON.parse(outcome.stdout) as T
}

async function inDatabase<T>(url: string, work: (session: Session) => Promise<T>): Promise<T> {
  const database = openDatabase({ url, role: 'owner', poolSize: 1 })
  try {
    return await database.transaction(tester, work)
  } finally {
    await database.close()
  }
}

/** What the archive says of the patient, and every encrypted note of it as far as it opens. */
async function archived(): Promise<{ text: string; notes: (string | null)[]; files: readonly string[] }> {
  const { rows, files } = await document<{ rows: unknown; files: string[] }>([
    'query',
    `select old_values::varchar, new_values::varchar from akashi_audit.audit_logs
     where table_name in ('patients', 'users') and operation in ('INSERT', 'UPDATE')`,
  ])
  const text = JSON.stringify(rows)
  const sealed = [...text.matchAll(/note_encrypted[^x]*x([0-9a-f]+)/g)].map(([, hex = '']) => hex)
  const notes = await Promise.all(sealed.map((hex) => vault.decrypt(person, place, Buffer.from(hex, 'hex'))))
  return { text, notes, files }
}

/** The patient as a database has them, opened with the keyring of now. */
function patient(url: string) {
  return inDatabase(url, async (session) => {
    const { rows } = await session.query<{ nickname: string | null; note: Uint8Array | null }>(
      'select nickname, note_encrypted as note from public.patients',
    )
    const { nickname = '', note = null } = rows[0] ?? {}
    const salts = await session.query('select from akashi_keys.digest_salts where data_subject = $1', [
      person,
    ])
    const user = await readUser(session, vault, person)
    return {
      user: { status: user?.status, username: user?.username, email: user?.email, name: user?.displayName },
      nickname,
      note: note === null ? 'removed' : await vault.decrypt(person, place, note),
      salts: salts.rows.length,
    }
  })
}

beforeAll(async () => {
  data = await reachableFolder()
  to = await reachableFolder()
  running = await akashiUp(data)
  keyring = await openKeyring(`file:${join(data, 'keys')}`)
  vault = openPersonVault(keyring)
  superuser = (await document<{ url: string }>(['url', '--role', 'superuser'])).url
  await ask(
    superuser,
    'create table public.patients (id integer primary key, person uuid, nickname text, note_encrypted bytea)',
  )
  await ask(superuser, 'grant select, insert, update on public.patients to akashi_owner')
  await ask(
    superuser,
    `select akashi_audit.protect('public.patients', 'restricted', 'person', '{"nickname": "digest"}')`,
  )
  await inDatabase(superuser, async (session) => {
    person = await createUser(session, vault, { username: 'hanako', email: EMAIL, displayName: NAME })
    await session.query(
      `insert into akashi_keys.personal_columns (schema_name, table_name, column_name, person_column, form, at_erasure) values
       ('public', 'patients', 'note_encrypted', 'person', 'encrypted', 'cleared'),
       ('public', 'patients', 'nickname', 'person', 'plain', 'cleared')`,
    )
    for (const note of ['healthy', NOTE]) {
      await session.query(
        `insert into public.patients values (1, $1, $2, $3)
         on conflict (id) do update set note_encrypted = excluded.note_encrypted`,
        [person, NICKNAME, await vault.encrypt(person, place, note)],
      )
    }
  })
}, MINUTES_MS)

afterAll(async () => {
  await running?.stop()
  await keyring?.close()
  for (const folder of [data, to]) await removeDataDir(folder)
}, MINUTES_MS)

it(
  'the archive and the trail hold nothing that can be read, and every hash stays valid',
  async () => {
    const asOf = new Date(Date.now() + MONTH_MS).toISOString()
    await document<{ tables: ArchiveRow[] }>([
      ...['archive', 'run', '--table', 'akashi_audit.audit_logs', '--as-of', asOf],
    ]).then(({ tables }) => expect(tables).toMatchObject([{ action: 'exported', exported: true }]))
    const then = await archived()
    expect(then.files).toHaveLength(1)
    expect(new Set(then.notes)).toEqual(new Set(['healthy', NOTE]))
    before = (await document<{ endLsn: string }>(['backup', 'full'])).endLsn

    const { certificate } = await document<Erasure>([
      ...['keys', 'shred', 'hanako', '--confirm', 'hanako', '--reason', 'asked for it'],
    ])
    const note = join(data, 'certificate')
    await writeFile(note, certificate ?? '')
    const checked = checkErasureCertificate(certificate ?? '', [await erasureVerifierKey(keyring)])
    const named = (places: readonly { table: string; column: string }[]) =>
      places.map(({ table, column }) => `${table}.${column}`)
    expect(named(checked.unreadable)).toEqual(
      expect.arrayContaining(['patients.note_encrypted', 'users.email_encrypted']),
    )
    expect(named(checked.removed)).toContain('patients.nickname')
    expect(checked.trail).toMatchObject({ salts: 1 })
    expect(checked.copies).toContain('archives')

    // The same bytes are still there, in the same files, and open no more; nor do those of the erasure itself.
    const now = await archived()
    expect(now.files).toEqual(then.files)
    expect(now.notes.length).toBeGreaterThanOrEqual(then.notes.length)
    expect(new Set(now.notes)).toEqual(new Set([null]))
    for (const plain of [NOTE, NICKNAME, EMAIL, NAME]) expect(now.text).not.toContain(plain)
    expect(await patient(superuser)).toEqual({
      user: { status: 'deleted', username: `deleted-${person}`, email: null, name: null },
      nickname: null,
      note: 'removed',
      salts: 0,
    })
    expect(await document(['verify'])).toMatchObject({ ok: true })
  },
  MINUTES_MS,
)

it(
  'a backup from before cannot read the person, who is erased there again before it serves',
  async () => {
    await running?.stop()
    running = undefined
    const restored = await document<{ url: string; checks: { ok: boolean } }>([
      ...['restore', '--at', before, '--to', to],
    ])
    expect(restored.checks.ok).toBe(true)
    expect(await patient(restored.url)).toMatchObject({
      user: { status: 'active', email: null },
      nickname: NICKNAME,
      note: null,
      salts: 1,
    })
    running = await akashiUp(to)
    const again = (await document<{ url: string }>(['url', '--role', 'superuser'], to)).url
    expect(await patient(again)).toEqual({
      user: { status: 'deleted', username: `deleted-${person}`, email: null, name: null },
      nickname: null,
      note: 'removed',
      salts: 0,
    })
    expect(await document(['verify'], to)).toMatchObject({ ok: true })
  },
  MINUTES_MS,
)
