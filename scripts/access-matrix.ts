/** The tables of docs/access-matrix.md: what every route requires and records, from the declarations of the routes. */
import { testApp } from '../test/http/support.ts'

type App = ReturnType<typeof testApp>
type DeclaredRoute = App['accessTable'][number]
type Access = DeclaredRoute['access']
type When = true | { readonly with: string }

/** Sections of the page in order, by the tags of their routes. */
const areas: readonly (readonly [title: string, ...tags: string[]])[] = [
  ['Signing in', 'session', 'oidc'],
  ['Your own account', 'me'],
  ['Users', 'users'],
  [
    'Roles, keys and policies',
    'roles',
    'permissions',
    'api-keys',
    'service-accounts',
    'policies',
    'approvals',
    'access-rights',
    'access-reviews',
  ],
  ['Audit trail', 'audit'],
  [
    'Ledger',
    'ledger',
    'crosscheck',
    'witnesses',
    'verifier-keys',
    'verifications',
    'evidence',
    'evidence-room',
  ],
  ['Security events', 'events'],
  ['Detection', 'detection'],
  ['Delivery', 'channels'],
  ['Archive', 'archive', 'cost'],
  ['Query', 'query'],
  ['Backup', 'backups', 'restores', 'drills'],
  ['Jobs', 'jobs'],
  ['Alarms', 'alarms', 'doctor'],
  ['Keys', 'keys'],
  ['Compliance reports', 'reports'],
  ['Chat', 'chat'],
  ['Operation', 'status', 'system'],
  ['Pages', 'pages'],
]

export const accessColumns = ['route', 'what it does', 'who', 'API key', 'also required', 'recorded'] as const

/** Title and rows of each section; cells in the order of {@link accessColumns}. */
export async function accessMatrix(): Promise<readonly (readonly [title: string, rows: string[][]])[]> {
  const app = testApp()
  try {
    await app.ready()
    const sorted = app.accessTable.toSorted((a, b) => order(a).localeCompare(order(b), 'en'))
    const found = Map.groupBy(sorted, areaOf)
    return areas.map(([title]) => [title, (found.get(title) ?? []).map(rowOf)])
  } finally {
    await app.close()
  }
}

const order = ({ url, method }: DeclaredRoute) => `${url} ${method}`

function areaOf({ url, schema }: DeclaredRoute): string {
  const [tag = ''] = schema.tags ?? []
  const area = areas.find(([, ...tags]) => tags.includes(tag))
  if (area === undefined)
    throw new Error(`scripts/access-matrix.ts has no section for ${url} with tag ${tag}`)
  return area[0]
}

function rowOf({ method, url, access, schema }: DeclaredRoute): string[] {
  const alsoRequired = [
    ...required('recent confirmation', 'stepUp' in access ? access.stepUp : undefined),
    ...required('a reason', 'reason' in access ? access.reason : undefined),
  ]
  const recorded = [
    ...('permission' in access || 'others' in access ? ['refusal'] : []),
    ...('reads' in access && access.reads !== undefined
      ? [access.reads === '*' ? 'access to each table or log that it names' : `access to \`${access.reads}\``]
      : []),
  ]
  return [
    `\`${method} ${url}\``,
    schema.summary ?? '',
    who(access),
    key(access),
    alsoRequired.join(', '),
    recorded.join(', '),
  ]
}

function required(what: string, when: When | undefined): string[] {
  if (when === undefined) return []
  return [when === true ? what : `${what} where the body has \`${when.with}\``]
}

const permissions = (all: string | readonly string[]) =>
  [all]
    .flat()
    .map((each) => `\`${each}\``)
    .join(' and ')

const byPermission = ({ permission, ofLog, by }: Extract<Access, { readonly permission: unknown }>) =>
  `${by === undefined ? '' : 'a person with '}${permissions(permission)}${ofLog === true ? ' and what guards the log: `audit_logs:read`, `events:read` for `security_events`' : ''}`

function who(access: Access): string {
  if ('permission' in access) return byPermission(access)
  if ('public' in access) {
    return access.public === 'anybody' ? 'anyone' : `anyone on this machine, else \`${access.others}\``
  }
  if ('link' in access) return 'whoever opened an evidence link'
  if ('signedIn' in access) return access.signedIn === 'person' ? 'a signed-in person' : 'anyone signed in'
  if (!('others' in access)) {
    return `the user${access.whilePending === true ? ', also while a password or second factor is due' : ''}`
  }
  return access.self === 'caller'
    ? `the owner, else \`${access.others}\``
    : `the person \`${access.self}\`, else \`${access.others}\``
}

function key(access: Access): string {
  if ('permission' in access) {
    return access.by === 'session'
      ? 'none: a session'
      : `scope ${byPermission(access).replace('a person with ', '')}`
  }
  if ('link' in access) return 'none: the session of the link'
  if ('public' in access) return access.public === 'anybody' ? '' : `scope \`${access.others}\``
  if ('others' in access) return `any of the owner's, else scope \`${access.others}\``
  return access.scope === 'any' ? 'any' : 'none: a session'
}
