import { describe, expect, it } from 'vitest'
import { describeTable } from '../support/catalog.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()

const id = 'uuid not null = gen_random_uuid()'
const since = 'timestamp with time zone not null = now()'

/** Columns, indexes and foreign keys of the requirements. */
const tables: Readonly<
  Record<
    string,
    {
      readonly columns: Readonly<Record<string, string>>
      readonly indexes: readonly string[]
      readonly foreignKeys: readonly string[]
    }
  >
> = {
  'akashi_auth.roles': {
    columns: {
      id,
      name: 'character varying(100) not null',
      description: 'text',
      tier: 'character varying(20) not null',
      created_at: since,
    },
    indexes: ['unique btree (name)', 'btree (tier)'],
    foreignKeys: [],
  },
  'akashi_auth.permissions': {
    columns: {
      id,
      resource: 'character varying(255) not null',
      action: 'character varying(50) not null',
      description: 'text',
    },
    indexes: ['unique btree (resource, action)'],
    foreignKeys: [],
  },
  'akashi_auth.user_roles': {
    columns: {
      id,
      user_id: 'uuid not null',
      role_id: 'uuid not null',
      assigned_by: 'uuid',
      assigned_at: since,
    },
    indexes: ['unique btree (user_id, role_id)', 'btree (role_id)'],
    foreignKeys: [
      'FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE',
      'FOREIGN KEY (role_id) REFERENCES akashi_auth.roles(id) ON DELETE CASCADE',
      'FOREIGN KEY (assigned_by) REFERENCES akashi_auth.users(id) ON DELETE SET NULL',
    ],
  },
  'akashi_auth.role_permissions': {
    columns: { id, role_id: 'uuid not null', permission_id: 'uuid not null', granted_at: since },
    indexes: ['unique btree (role_id, permission_id)', 'btree (permission_id, role_id)'],
    foreignKeys: [
      'FOREIGN KEY (role_id) REFERENCES akashi_auth.roles(id) ON DELETE CASCADE',
      'FOREIGN KEY (permission_id) REFERENCES akashi_auth.permissions(id) ON DELETE CASCADE',
    ],
  },
  'akashi_auth.api_keys': {
    columns: {
      id,
      name: 'character varying(255) not null',
      key_hash: 'character varying(255) not null',
      key_prefix: 'character varying(10) not null',
      service_name: 'character varying(255) not null',
      tier: 'character varying(20) not null',
      permissions: "jsonb not null = '[]'::jsonb",
      expires_at: 'timestamp with time zone',
      last_used_at: 'timestamp with time zone',
      is_active: 'boolean not null = true',
      created_by: 'uuid',
      created_at: since,
      updated_at: since,
    },
    indexes: [
      'unique btree (key_hash)',
      'btree (service_name)',
      'btree (key_prefix)',
      'btree (expires_at) WHERE (expires_at IS NOT NULL)',
    ],
    foreignKeys: ['FOREIGN KEY (created_by) REFERENCES akashi_auth.users(id) ON DELETE SET NULL'],
  },
  'akashi_auth.user_sessions': {
    columns: {
      id,
      user_id: 'uuid not null',
      room_id: 'uuid',
      session_token_hash: 'bytea not null',
      device_type: 'character varying(50)',
      user_agent: 'text',
      ip_address: 'inet',
      status: "character varying(20) not null = 'online'::character varying",
      last_activity: since,
      expires_at: 'timestamp with time zone not null',
      security_validated: 'boolean not null = false',
      created_at: since,
      updated_at: since,
    },
    indexes: [
      'unique btree (session_token_hash)',
      'btree (user_id, status)',
      'btree (room_id, status)',
      'btree (expires_at)',
      'btree (last_activity)',
    ],
    foreignKeys: ['FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE'],
  },
  'akashi_auth.login_attempts': {
    columns: {
      user_id: 'uuid',
      method: 'character varying(20) not null',
      result: 'character varying(20) not null',
    },
    indexes: ['unique btree (id, created_at)', 'btree (xid, seq)', 'btree (ip_address, created_at DESC)'],
    foreignKeys: [],
  },
  'akashi_auth.privacy_consents': {
    columns: { id, user_id: 'uuid not null', purpose: 'character varying(100) not null' },
    indexes: ['btree (user_id, purpose, created_at DESC)'],
    foreignKeys: ['FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE'],
  },
}

describe.each(Object.entries(tables))('%s', (name, expected) => {
  it('has the columns, indexes and foreign keys of its sources', async () => {
    const table = await database.asSuperuser((session) => describeTable(session, name))
    expect(table.columns).toMatchObject(expected.columns)
    expect(table.indexes).toEqual(expect.arrayContaining([...expected.indexes]))
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ definition: string }>(
        `select pg_get_constraintdef(oid) as definition from pg_constraint where conrelid = $1::regclass and contype = 'f'`,
        [name],
      ),
    )
    const found = rows.map(({ definition }) => definition)
    expect(found).toEqual(expect.arrayContaining([...expected.foreignKeys]))
  })
})

it.each(['akashi_auth.api_keys', 'akashi_auth.user_sessions', 'akashi_auth.security_policies'])(
  '%s keeps when a row last changed',
  async (name) => {
    const { rows } = await database.asSuperuser((session) =>
      session.query(
        `select tgfoid::regproc::text as function from pg_trigger where tgrelid = $1::regclass and tgname = 'update_updated_at'`,
        [name],
      ),
    )
    expect(rows).toEqual([{ function: 'akashi_auth.update_updated_at' }])
  },
)

describe('the rules of the tables', () => {
  it.each([
    ['a tier that is none', `insert into akashi_auth.roles (name, tier) values ('r', 'root')`],
    [
      'an action that is none',
      `insert into akashi_auth.permissions (resource, action) values ('users', 'own')`,
    ],
    [
      'the same permission twice',
      `insert into akashi_auth.permissions (resource, action) values ('users', 'read')`,
    ],
    [
      'a policy beyond its bounds',
      `update akashi_auth.security_policies set value = '1001' where key = 'session.max_per_user'`,
    ],
    [
      'a policy of another type',
      `update akashi_auth.security_policies set value = '"5"' where key = 'lockout.threshold'`,
    ],
  ])('refuse %s', async (_, text) => {
    await expect(database.asSuperuser((session) => session.query(text))).rejects.toThrow()
  })

  it('keep login attempts by the month, three months ahead, for half a year', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query(
        `select interval, premake, hot_retention = interval '6 months' as half, at_expiry, append_only,
           (select count(*)::int from pg_inherits where inhparent = 'akashi_auth.login_attempts'::regclass) as partitions
         from akashi_lifecycle.policies where table_name = 'login_attempts'`,
      ),
    )
    expect(rows).toEqual([
      { interval: 'month', premake: 3, half: true, at_expiry: 'retire', append_only: true, partitions: 4 },
    ])
  })

  it('let a second factor’s step only grow, so that no code works twice', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ id: string }>(
        `with someone as (insert into akashi_auth.users (subject, username, email) values ('stepper', 'stepper', 's@example.com') returning id)
         insert into akashi_auth.mfa_factors (user_id, secret) select id, '\\x01' from someone returning id`,
      ),
    )
    const use = (step: number) =>
      database.asSuperuser((session) =>
        session.query(
          'update akashi_auth.mfa_factors set last_used_step = $2, last_used_at = clock_timestamp() where id = $1',
          [rows[0]?.id, step],
        ),
      )
    await use(100)
    await expect(use(100)).rejects.toMatchObject({ code: 'conflict' })
    await expect(use(99)).rejects.toMatchObject({ code: 'conflict' })
    await use(101)
  })
})
