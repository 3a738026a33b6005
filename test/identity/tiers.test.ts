import type { PermissionName, Tier } from '@akashi/contract'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  createApiKey,
  createRole,
  deleteRole,
  grantPermission,
  grantRole,
  revokePermission,
  revokeRole,
} from '../../src/identity/index.ts'
import type { Actor } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { makeUser } from './people.ts'

const database = testDatabase()
const app = database.open('app')
const owner = database.open('owner')

const RUNS = 40
const STEPS = 25

/** Ends that a role is given with; undefined is for good. */
const [tomorrow, later, latest] = [1, 2, 3].map((days) => new Date(Date.UTC(2037, 0, days)))
const forGood = undefined

interface Holder {
  readonly person: number
  readonly until?: Date | undefined
}

/** Roles that a run begins with: tier, permissions, and which of the five people have them, until when. */
const roles: Readonly<Record<string, { tier: Tier; permissions: PermissionName[]; people: Holder[] }>> = {
  manager: { tier: 'business', permissions: ['roles:write', 'rooms:admin'], people: [{ person: 0 }] },
  clerk: { tier: 'business', permissions: ['roles:read'], people: [{ person: 1 }] },
  helper: {
    tier: 'service',
    permissions: ['rooms:read'],
    people: [{ person: 1 }, { person: 2, until: tomorrow }],
  },
  // Below everybody's rights, and still of the highest tier.
  hollow: { tier: 'system', permissions: [], people: [] },
  // As powerful as one gets without being an administrator, one for good and one for a while.
  staff: {
    tier: 'system',
    permissions: ['roles:admin', 'api_keys:admin', 'users:read'],
    people: [{ person: 3 }, { person: 4, until: later }],
  },
}
const madeRoles = ['made_0', 'made_1']
const permissions = [
  'users:admin',
  'users:read',
  'roles:write',
  'roles:admin',
  'rooms:write',
  'keys:admin',
] as const

/** Until when (seconds since 1970) somebody has each permission, and each tier, as `tier 1` to `tier 3`. */
type Rights = ReadonlyMap<string, number>

async function reset(userIds: readonly string[]): Promise<void> {
  await owner.transaction(tester, async (session) => {
    await session.query('delete from akashi_auth.user_roles where user_id = any ($1)', [userIds])
    await session.query('delete from akashi_auth.roles where name = any ($1)', [
      [...madeRoles, ...Object.keys(roles)],
    ])
    for (const [name, role] of Object.entries(roles)) {
      await session.query('insert into akashi_auth.roles (name, tier) values ($1, $2)', [name, role.tier])
      await session.query(
        `insert into akashi_auth.role_permissions (role_id, permission_id) select r.id, p.id from akashi_auth.roles r, akashi_auth.permissions p
         where r.name = $1 and p.resource || ':' || p.action = any ($2)`,
        [name, role.permissions],
      )
      for (const { person: at, until } of role.people) {
        await session.query(
          'insert into akashi_auth.user_roles (role_id, user_id, expires_at) select r.id, $2, $3 from akashi_auth.roles r where r.name = $1',
          [name, userIds[at], until ?? null],
        )
      }
    }
  })
}

/** What each user may do, and until when: read without the functions under test. */
async function rightsOf(userIds: readonly string[]): Promise<Map<string, Rights>> {
  const { rows } = await owner.transaction(tester, (session) =>
    session.query<{ id: string; rights: Record<string, number | null> }>(
      `select u.id, coalesce((select jsonb_object_agg(what, until) from (
           select what, max(coalesce(extract(epoch from ur.expires_at), 1e12)) as until
           from akashi_auth.user_roles ur join akashi_auth.roles r on r.id = ur.role_id
           cross join lateral (
             select 'tier ' || generate_series(1, case r.tier when 'system' then 3 when 'business' then 2 else 1 end) as what
             union all
             select p.resource || ':' || p.action from akashi_auth.role_permissions rp join akashi_auth.permissions p on p.id = rp.permission_id
             where rp.role_id = r.id) held
           where ur.user_id = u.id group by what) each), '{}') as rights
       from unnest($1::uuid[]) u (id)`,
      [userIds],
    ),
  )
  return new Map(
    rows.map(({ id, rights }) => [
      id,
      new Map(Object.entries(rights).map(([what, until]) => [what, Number(until)])),
    ]),
  )
}

const otherOutcomes = ['not_found', 'already_exists', 'conflict']
const nothing: Rights = new Map()
/** Until when somebody has it; 0 is not at all. */
const until = (rights: Rights, what: string) =>
  Math.max(rights.get(what) ?? 0, rights.get(`${what.split(':')[0]}:admin`) ?? 0)

/** What was gained, the giver had, and for as long. */
function check(giver: Rights, before: Map<string, Rights>, after: Map<string, Rights>): void {
  for (const [userId, now] of after) {
    const then = before.get(userId) ?? nothing
    const gained = [...now.keys()].filter((what) => until(now, what) > until(then, what))
    expect(
      gained.filter((what) => until(now, what) > until(giver, what)),
      'gained beyond the giver',
    ).toEqual([])
  }
}

const person = fc.integer({ min: 0, max: 4 })
const role = fc.constantFrom(...Object.keys(roles), ...madeRoles, 'sys_admin', 'security_admin', 'viewer')
const permission = fc.constantFrom(...permissions)
const tier = fc.constantFrom('system' as const, 'business' as const, 'service' as const)
const kind = fc.constantFrom(
  'grant',
  'grant',
  'grant',
  'revoke',
  'make',
  'delete',
  'add',
  'add',
  'remove',
  'key',
)
const step = fc.record({
  kind,
  by: person,
  to: person,
  role,
  permission,
  tier,
  made: fc.constantFrom(...madeRoles),
  end: fc.constantFrom(forGood, forGood, tomorrow, later, latest),
})
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

function attempt(by: Actor, userId: string, { kind: what, ...each }: Step): Promise<unknown> {
  switch (what) {
    case 'grant':
      return grantRole(app, by, {
        userId,
        role: each.role,
        ...(each.end === undefined ? {} : { expiresAt: each.end }),
      })
    case 'revoke':
      return revokeRole(app, by, { userId, role: each.role })
    case 'make':
      return createRole(app, by, { name: each.made, tier: each.tier })
    case 'delete':
      return deleteRole(app, by, each.role)
    case 'add':
      return grantPermission(app, by, { role: each.role, permission: each.permission })
    case 'remove':
      return revokePermission(app, by, { role: each.role, permission: each.permission })
    default:
      return createApiKey(app, by, { name: 'a key', scopes: [each.permission] })
  }
}

it('no sequence of grants gives anybody what its giver did not have, for longer, or a higher tier', async () => {
  const people: readonly (Actor & { readonly userId: string })[] = [
    await makeUser(database),
    await makeUser(database),
    await makeUser(database, 'viewer'),
    await makeUser(database),
    await makeUser(database),
  ]
  const userIds = people.map(({ userId }) => userId)
  const outcomes = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: STEPS, maxLength: STEPS }), async (steps) => {
      await reset(userIds)
      let before = await rightsOf(userIds)
      for (const each of steps) {
        const by = people[each.by] ?? tester
        const outcome = await attempt(by, userIds[each.to] ?? '', each).then(
          () => 'done',
          (error: { readonly code?: string }) => error.code ?? 'unknown',
        )
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        if (outcome !== 'done') continue
        const after = await rightsOf(userIds)
        check(before.get(by.userId ?? '') ?? nothing, before, after)
        before = after
      }
    }),
    { numRuns: RUNS, seed: 20261121 },
  )
  for (const each of outcomes.keys()) expect(['done', 'forbidden', ...otherOutcomes]).toContain(each)
  expect(outcomes.get('done')).toBeGreaterThan(RUNS)
}, 400_000)
