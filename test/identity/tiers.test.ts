import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  createApiKey,
  createRole,
  deleteRole,
  grantPermission,
  grantRole,
  type PermissionName,
  revokePermission,
  revokeRole,
  type Tier,
} from '../../src/identity/index.ts'
import { type Actor, anonymous } from '../../src/postgres/index.ts'
import { testDatabase } from '../support/index.ts'
import { makeUser } from './people.ts'

const database = testDatabase()
const app = database.open('app')
const owner = database.open('owner')

const RUNS = 60
const STEPS = 25

/** Roles that a run begins with: tier, permissions, and which of the five people have them. */
const roles: Readonly<Record<string, { tier: Tier; permissions: PermissionName[]; people: number[] }>> = {
  manager: { tier: 'business', permissions: ['roles:write', 'rooms:admin'], people: [0] },
  clerk: { tier: 'business', permissions: ['roles:read'], people: [1] },
  helper: { tier: 'service', permissions: ['rooms:read'], people: [1, 2] },
  // Below everybody's rights, and still of the highest tier.
  hollow: { tier: 'system', permissions: [], people: [] },
  // As powerful as one gets without being an administrator.
  staff: { tier: 'system', permissions: ['roles:admin', 'api_keys:admin', 'users:read'], people: [3] },
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

interface Rights {
  readonly rank: number
  readonly permissions: readonly string[]
}

async function reset(userIds: readonly string[]): Promise<void> {
  await owner.transaction(anonymous, async (session) => {
    await session.query('delete from auth.user_roles where user_id = any ($1)', [userIds])
    await session.query('delete from auth.roles where name = any ($1)', [
      [...madeRoles, ...Object.keys(roles)],
    ])
    for (const [name, role] of Object.entries(roles)) {
      await session.query('insert into auth.roles (name, tier) values ($1, $2)', [name, role.tier])
      await session.query(
        `insert into auth.role_permissions (role_id, permission_id) select r.id, p.id from auth.roles r, auth.permissions p
         where r.name = $1 and p.resource || ':' || p.action = any ($2)`,
        [name, role.permissions],
      )
      await session.query(
        'insert into auth.user_roles (role_id, user_id) select r.id, unnest($2::uuid[]) from auth.roles r where r.name = $1',
        [name, role.people.map((at) => userIds[at])],
      )
    }
  })
}

/** What each user may do, and the highest tier they have: read without the functions under test. */
async function rightsOf(userIds: readonly string[]): Promise<Map<string, Rights>> {
  const { rows } = await owner.transaction(anonymous, (session) =>
    session.query<Rights & { id: string }>(
      `select u.id, coalesce(max(case r.tier when 'system' then 3 when 'business' then 2 else 1 end), 0) as rank,
         coalesce(array_agg(p.resource || ':' || p.action) filter (where p.id is not null), '{}') as permissions
       from unnest($1::uuid[]) u (id) left join auth.user_roles ur on ur.user_id = u.id left join auth.roles r on r.id = ur.role_id
       left join auth.role_permissions rp on rp.role_id = r.id left join auth.permissions p on p.id = rp.permission_id
       group by u.id`,
      [userIds],
    ),
  )
  return new Map(rows.map(({ id, ...rights }) => [id, rights]))
}

const otherOutcomes = ['not_found', 'already_exists', 'conflict']
const nothing: Rights = { rank: 0, permissions: [] }
const holds = (held: readonly string[], permission: string) =>
  held.includes(permission) || held.includes(`${permission.split(':')[0]}:admin`)

/** What was gained, the giver had. */
function check(giver: Rights, before: Map<string, Rights>, after: Map<string, Rights>): void {
  for (const [userId, now] of after) {
    const then = before.get(userId) ?? nothing
    expect(now.rank, 'tier').toBeLessThanOrEqual(Math.max(then.rank, giver.rank))
    const gained = now.permissions.filter((each) => !then.permissions.includes(each))
    expect(
      gained.filter((each) => !holds(giver.permissions, each)),
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
})
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

function attempt(by: Actor, userId: string, { kind: what, ...each }: Step): Promise<unknown> {
  switch (what) {
    case 'grant':
      return grantRole(app, by, { userId, role: each.role })
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

it('no sequence of grants gives anybody what its giver did not have, nor a higher tier', async () => {
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
        const by = people[each.by] ?? anonymous
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
}, 120_000)
