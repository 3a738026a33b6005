import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Actor, Database, DatabaseRole, Session } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { makeUser } from './people.ts'

/**
 * What each caller gets of each table when they really try, with rows of their own, of others and of nobody
 * there. Who is not named for a command is refused, or reaches no row. The first six are callers of the
 * application's role: nobody, users without a role, and users with one; the last three are logins.
 */
const callers = [
  'anonymous',
  'self',
  'other',
  'operator',
  'auditor',
  'admin',
  'worker',
  'reader',
  'security_admin',
] as const
type Caller = (typeof callers)[number]

interface Commands {
  /** One statement each; $self, $other and $new stand for ids. */
  readonly insert: string
  readonly update: string
  readonly delete: string
  /** The column that says whose row it is. */
  readonly owner: string
}

/** no: refused; none: no row; own: those of the caller; some: what no rule intends. */
type Seen = 'no' | 'none' | 'own' | 'all' | 'some'

interface Row {
  readonly select: Readonly<Record<Caller, Seen>>
  /** Who may write at all; everybody else is refused. */
  readonly insert?: readonly Caller[]
  readonly update?: readonly Caller[]
  readonly delete?: readonly Caller[]
}

const nobody = {
  anonymous: 'none',
  self: 'none',
  other: 'none',
  operator: 'none',
  auditor: 'none',
  admin: 'none',
} as const
const everybodySignedIn = {
  anonymous: 'none',
  self: 'all',
  other: 'all',
  operator: 'all',
  auditor: 'all',
  admin: 'all',
} as const
const staffOnly = { worker: 'all', reader: 'no', security_admin: 'all' } as const
const ownOnly = { ...nobody, self: 'own' } as const
const readers = (allowed: readonly Caller[]) => ({
  ...ownOnly,
  ...(Object.fromEntries(allowed.map((caller) => [caller, 'all'])) as Partial<Record<Caller, 'all'>>),
})

const unseen = {
  anonymous: 'no',
  self: 'no',
  other: 'no',
  operator: 'no',
  auditor: 'no',
  admin: 'no',
  worker: 'no',
  reader: 'no',
  security_admin: 'no',
} as const

const matrix: Readonly<Record<string, Row>> = {
  passkeys: {
    select: { ...ownOnly, worker: 'no', reader: 'no', security_admin: 'all' },
    insert: ['self'],
    delete: ['self'],
  },
  approvals: { select: { ...nobody, auditor: 'all', admin: 'all', ...staffOnly } },
  approval_confirmations: { select: { ...nobody, auditor: 'all', admin: 'all', ...staffOnly } },
  api_keys: { select: { ...readers(['auditor', 'admin']), ...staffOnly } },
  local_credentials: { select: { ...ownOnly, worker: 'no', reader: 'no', security_admin: 'all' } },
  login_attempts: {
    select: { ...readers(['operator', 'auditor', 'admin']), ...staffOnly },
  },
  // Read through functions alone.
  access_reviews: { select: unseen },
  access_review_items: { select: unseen },
  access_review_decisions: { select: unseen },
  login_throttles: {
    select: {
      anonymous: 'no',
      self: 'no',
      other: 'no',
      operator: 'no',
      auditor: 'no',
      admin: 'no',
      worker: 'no',
      reader: 'no',
      security_admin: 'no',
    },
  },
  mfa_factors: {
    select: { ...ownOnly, worker: 'no', reader: 'no', security_admin: 'all' },
    insert: ['self'],
    update: ['self'],
    delete: ['self'],
  },
  password_history: {
    select: {
      anonymous: 'no',
      self: 'no',
      other: 'no',
      operator: 'no',
      auditor: 'no',
      admin: 'no',
      worker: 'no',
      reader: 'no',
      security_admin: 'no',
    },
  },
  permissions: { select: { ...everybodySignedIn, worker: 'all', reader: 'all', security_admin: 'all' } },
  privacy_consents: {
    select: { ...readers(['operator', 'auditor', 'admin']), ...staffOnly },
    insert: ['self'],
  },
  recovery_codes: {
    select: { ...ownOnly, worker: 'no', reader: 'no', security_admin: 'no' },
    insert: ['self'],
    update: ['self'],
    delete: ['self'],
  },
  role_permissions: { select: { ...everybodySignedIn, worker: 'all', reader: 'all', security_admin: 'all' } },
  roles: { select: { ...everybodySignedIn, worker: 'all', reader: 'all', security_admin: 'all' } },
  security_policies: {
    select: { ...everybodySignedIn, anonymous: 'all', worker: 'all', reader: 'all', security_admin: 'all' },
  },
  service_account_roles: { select: { ...nobody, auditor: 'all', admin: 'all', ...staffOnly } },
  service_accounts: { select: { ...nobody, auditor: 'all', admin: 'all', ...staffOnly } },
  user_roles: { select: { ...readers(['operator', 'auditor', 'admin']), ...staffOnly } },
  user_sessions: {
    // Each caller has the session that they act in.
    select: { ...readers(['operator', 'auditor', 'admin']), other: 'own', ...staffOnly },
    insert: ['self'],
    update: ['self'],
    delete: ['worker'],
  },
}

const bytes = `sha256(convert_to(gen_random_uuid()::text, 'UTF8'))`
const hash = `'$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA'`
const commands: Readonly<Record<keyof typeof matrix, Commands>> = {
  passkeys: {
    owner: 'user_id',
    insert: `insert into akashi_auth.passkeys (user_id, credential_id, public_key, backed_up)
      values ($self, ${bytes}, '\\x01', false)`,
    update: 'update akashi_auth.passkeys set sign_count = 0 where user_id = $self',
    delete: 'delete from akashi_auth.passkeys where user_id = $self',
  },
  approvals: {
    owner: 'null::uuid',
    insert: `insert into akashi_auth.approvals (action, reason, requested_by, expires_at)
      values ('prune_backups', 'mine', 'me', now() + interval '1 hour')`,
    update: 'update akashi_auth.approvals set used_at = null, withdrawn_at = null',
    delete: 'delete from akashi_auth.approvals',
  },
  approval_confirmations: {
    owner: 'null::uuid',
    insert:
      'insert into akashi_auth.approval_confirmations (approval_id, user_id) select id, $self from akashi_auth.approvals',
    update: 'update akashi_auth.approval_confirmations set user_id = $self',
    delete: 'delete from akashi_auth.approval_confirmations',
  },
  api_keys: {
    owner: 'user_id',
    insert: `insert into akashi_auth.api_keys (name, key_hash, key_prefix, service_name, tier, user_id)
      values ('k', encode(${bytes}, 'hex'), 'abcdefghij', 's', 'service', $self)`,
    update: `update akashi_auth.api_keys set permissions = '["users:admin"]' where user_id = $self`,
    delete: 'delete from akashi_auth.api_keys where user_id = $self',
  },
  local_credentials: {
    owner: 'user_id',
    insert: `insert into akashi_auth.local_credentials (user_id, password_hash) values ($self, ${hash})`,
    update: `update akashi_auth.local_credentials set password_hash = ${hash} where user_id = $self`,
    delete: 'delete from akashi_auth.local_credentials where user_id = $self',
  },
  login_attempts: {
    owner: 'user_id',
    insert: `insert into akashi_auth.login_attempts (user_id, method, result) values ($self, 'password', 'failure')`,
    update: `update akashi_auth.login_attempts set result = 'success' where user_id = $self`,
    delete: 'delete from akashi_auth.login_attempts where user_id = $self',
  },
  access_reviews: {
    owner: 'null::uuid',
    insert: `insert into akashi_auth.access_reviews (opened_by, due_at) values ('me', now() + interval '1 day')`,
    update: `update akashi_auth.access_reviews set opened_by = 'me'`,
    delete: 'delete from akashi_auth.access_reviews',
  },
  access_review_items: {
    owner: 'user_id',
    insert: `insert into akashi_auth.access_review_items (review_id, kind, right_id, title, tier, granted_at)
      values (gen_random_uuid(), 'user_role', gen_random_uuid(), 'mine', 'service', now())`,
    update: `update akashi_auth.access_review_items set title = 'mine'`,
    delete: 'delete from akashi_auth.access_review_items',
  },
  access_review_decisions: {
    owner: 'decided_by',
    insert: `insert into akashi_auth.access_review_decisions (item_id, decision, reason, decided_at, decided_by, gave_it, seen)
      values (gen_random_uuid(), 'keep', 'mine', now(), $self, false, '{}')`,
    update: `update akashi_auth.access_review_decisions set decision = 'keep'`,
    delete: 'delete from akashi_auth.access_review_decisions',
  },
  login_throttles: {
    owner: 'null::uuid',
    insert: `insert into akashi_auth.login_throttles (key, expires_at) values (${bytes}, now())`,
    update: 'update akashi_auth.login_throttles set failures = 0',
    delete: 'delete from akashi_auth.login_throttles',
  },
  mfa_factors: {
    owner: 'user_id',
    insert: `insert into akashi_auth.mfa_factors (user_id, secret) values ($self, '\\x01')`,
    update: `update akashi_auth.mfa_factors set label = 'mine' where user_id = $self`,
    delete: 'delete from akashi_auth.mfa_factors where user_id = $self',
  },
  password_history: {
    owner: 'user_id',
    insert: `insert into akashi_auth.password_history (user_id, password_hash) values ($self, ${hash})`,
    update: `update akashi_auth.password_history set password_hash = ${hash} where user_id = $self`,
    delete: 'delete from akashi_auth.password_history where user_id = $self',
  },
  permissions: {
    owner: 'null::uuid',
    insert: `insert into akashi_auth.permissions (resource, action) values ('own', 'read')`,
    update: `update akashi_auth.permissions set tier = 'service'`,
    delete: 'delete from akashi_auth.permissions',
  },
  privacy_consents: {
    owner: 'user_id',
    insert: `insert into akashi_auth.privacy_consents (user_id, purpose, decision, document_version, regulation)
      values ($self, 'analytics', 'granted', '1', 'gdpr')`,
    update: `update akashi_auth.privacy_consents set decision = 'withdrawn' where user_id = $self`,
    delete: 'delete from akashi_auth.privacy_consents where user_id = $self',
  },
  recovery_codes: {
    owner: 'user_id',
    insert: `insert into akashi_auth.recovery_codes (user_id, code_hash) values ($self, ${bytes})`,
    update: 'update akashi_auth.recovery_codes set used_at = now() where user_id = $self',
    delete: 'delete from akashi_auth.recovery_codes where user_id = $self',
  },
  role_permissions: {
    owner: 'null::uuid',
    insert: `insert into akashi_auth.role_permissions (role_id, permission_id)
      select r.id, p.id from akashi_auth.roles r, akashi_auth.permissions p where r.name = 'sys_auditor' limit 1`,
    update: 'update akashi_auth.role_permissions set granted_at = now()',
    delete: 'delete from akashi_auth.role_permissions',
  },
  roles: {
    owner: 'null::uuid',
    insert: `insert into akashi_auth.roles (name, tier) values ('own', 'system')`,
    update: `update akashi_auth.roles set description = 'mine'`,
    delete: 'delete from akashi_auth.roles',
  },
  security_policies: {
    owner: 'null::uuid',
    insert: `insert into akashi_auth.security_policies (key, value, default_value, value_type, description)
      values ('own.rule', 'true', 'true', 'boolean', 'mine')`,
    update: `update akashi_auth.security_policies set value = '100' where key = 'lockout.threshold'`,
    delete: 'delete from akashi_auth.security_policies',
  },
  service_account_roles: {
    owner: 'null::uuid',
    insert: 'insert into akashi_auth.service_account_roles (service_account_id, role_id) values ($new, $new)',
    update: 'update akashi_auth.service_account_roles set expires_at = null',
    delete: 'delete from akashi_auth.service_account_roles',
  },
  service_accounts: {
    owner: 'null::uuid',
    insert: `insert into akashi_auth.service_accounts (name) values ('own')`,
    update: 'update akashi_auth.service_accounts set is_active = true',
    delete: 'delete from akashi_auth.service_accounts',
  },
  user_roles: {
    owner: 'user_id',
    insert: `insert into akashi_auth.user_roles (user_id, role_id) select $self, id from akashi_auth.roles where name = 'sys_admin'`,
    update: `update akashi_auth.user_roles set role_id = (select id from akashi_auth.roles where name = 'sys_admin') where user_id = $self`,
    delete: 'delete from akashi_auth.user_roles where user_id = $self',
  },
  user_sessions: {
    owner: 'user_id',
    insert: `insert into akashi_auth.user_sessions (user_id, session_token_hash, expires_at)
      values ($self, ${bytes}, now() + interval '1 hour')`,
    update: 'update akashi_auth.user_sessions set revoked_at = now() where user_id = $self',
    delete: 'delete from akashi_auth.user_sessions where user_id = $self',
  },
}

const database = testDatabase()
const pools: Partial<Record<DatabaseRole, Database>> = {
  app: database.open('app'),
  worker: database.open('worker'),
  reader: database.open('reader'),
  security_admin: database.open('security_admin'),
}
const actors: Partial<Record<Caller, Actor>> = {}
const ids = { self: '', other: '', new: randomUUID() }

const fill = (text: string) =>
  text.replaceAll(/\$(self|other|new)/g, (_, name: keyof typeof ids) => `'${ids[name]}'::uuid`)

const rolledBack = Symbol('rolled back')

/** Runs one statement as the caller and takes it back; answers what it answered. */
async function attempt<T>(caller: Caller, work: (session: Session) => Promise<T>): Promise<T> {
  const isLogin = caller === 'worker' || caller === 'reader' || caller === 'security_admin'
  let answer: { readonly value: T } | undefined
  try {
    await pools[isLogin ? caller : 'app']?.transaction(actors[caller] ?? tester, async (session) => {
      answer = { value: await work(session) }
      throw rolledBack
    })
  } catch (error) {
    if (error !== rolledBack) throw error
  }
  if (answer === undefined) throw new Error('nothing ran')
  return answer.value
}

async function canWrite(caller: Caller, text: string): Promise<'yes' | 'no' | 'none'> {
  try {
    const { rowCount } = await attempt(caller, (session) => session.query(fill(text)))
    return rowCount > 0 ? 'yes' : 'none'
  } catch (error) {
    expect(error, text).toMatchObject({ code: expect.stringMatching(/^(forbidden|append_only)$/) })
    return 'no'
  }
}

async function canRead(caller: Caller, table: string): Promise<Seen> {
  const owner = commands[table]?.owner ?? ''
  const count = async (session: Session) => {
    const { rows } = await session.query<{ all: string; own: string }>(
      `select count(*) as all, count(*) filter (where owner = $1) as own from (select ${owner} as owner from akashi_auth.${table}) t`,
      [actors[caller]?.userId ?? null],
    )
    return { all: Number(rows[0]?.all), own: Number(rows[0]?.own) }
  }
  const there = await database.asSuperuser(count)
  try {
    const seen = await attempt(caller, count)
    if (seen.all === 0) return 'none'
    if (seen.all === there.all) return 'all'
    return seen.all === seen.own && seen.own === there.own ? 'own' : 'some'
  } catch (error) {
    expect(error).toMatchObject({ code: 'forbidden' })
    return 'no'
  }
}

beforeAll(async () => {
  const made = {
    self: await makeUser(database),
    other: await makeUser(database),
    operator: await makeUser(database, 'sys_operator'),
    auditor: await makeUser(database, 'sys_auditor'),
    admin: await makeUser(database, 'sys_admin'),
  }
  Object.assign(actors, made)
  ids.self = made.self.userId
  ids.other = made.other.userId
  await database.asSuperuser(async (session) => {
    await session.query(commands['login_throttles']?.insert ?? '')
    await session.query(commands['approvals']?.insert ?? '')
    await session.query(
      (commands['approval_confirmations']?.insert ?? '').replaceAll('$self', `'${ids.other}'`),
    )
    await session.query(
      `insert into akashi_auth.service_accounts (name, tier) values ('the-service', 'system')`,
    )
    await session.query(
      `insert into akashi_auth.service_account_roles (service_account_id, role_id) select a.id, r.id from akashi_auth.service_accounts a, akashi_auth.roles r where r.name = 'viewer'`,
    )
    // A row of self and of somebody who is none of the callers.
    const third = await makeUser(database)
    for (const owner of [ids.self, third.userId]) {
      for (const table of [
        'api_keys',
        'local_credentials',
        'login_attempts',
        'mfa_factors',
        'passkeys',
        'password_history',
        'privacy_consents',
        'recovery_codes',
      ]) {
        await session.query((commands[table]?.insert ?? '').replaceAll('$self', `'${owner}'`))
      }
      await session.query(
        `insert into akashi_auth.user_roles (user_id, role_id) select $1, id from akashi_auth.roles where name = 'viewer'`,
        [owner],
      )
    }
    await session.query(
      `insert into akashi_auth.user_sessions (user_id, session_token_hash, expires_at) values ($1, ${bytes}, now() - interval '1 day')`,
      [ids.self],
    )
  })
})

describe('the access matrix of identity, tried out', () => {
  it('has every table of the schema but those with tests of their own', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ name: string }>(
        `select c.relname as name from pg_class c where c.relnamespace = 'akashi_auth'::regnamespace and c.relkind in ('r', 'p')
           and not c.relispartition and c.relname not in ('users', 'context_keys') order by 1`,
      ),
    )
    expect(Object.keys(matrix)).toEqual(expect.arrayContaining(rows.map(({ name }) => name)))
  })

  it.each(Object.keys(matrix))('select %s', async (table) => {
    const found: Partial<Record<Caller, string>> = {}
    for (const caller of callers) {
      found[caller] = await canRead(caller, table)
    }
    expect(found).toEqual(matrix[table]?.select)
  })

  it.each(
    Object.keys(matrix).flatMap((table) =>
      (['insert', 'update', 'delete'] as const).map((command) => [command, table] as const),
    ),
  )('%s %s', async (command, table) => {
    const allowed = matrix[table]?.[command] ?? []
    for (const caller of callers) {
      const outcome = await canWrite(caller, commands[table]?.[command] ?? '')
      if (allowed.includes(caller)) expect(outcome, caller).toBe('yes')
      else expect(outcome, caller).not.toBe('yes')
    }
  })
})
