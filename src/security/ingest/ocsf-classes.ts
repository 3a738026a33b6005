import type { EventCategory, EventResult } from '../event.ts'

interface OcsfClass {
  readonly name: string
  readonly category: EventCategory
  /** Past participles for activity_id 1, 2, 3 … */
  readonly activities: readonly string[]
  /** Fields that may contain the target, best first. */
  readonly targets: readonly string[]
}

/** Classes of schema.ocsf.io 1.x with types of their own; all others are classified by category. */
const classes: ReadonlyMap<number, OcsfClass> = new Map<number, OcsfClass>([
  [
    3001,
    {
      name: 'account',
      category: 'configuration',
      activities: [
        'created',
        'enabled',
        'password_changed',
        'password_reset',
        'disabled',
        'deleted',
        'policy_attached',
        'policy_detached',
        'locked',
        'mfa_enabled',
        'mfa_disabled',
      ],
      targets: ['user'],
    },
  ],
  [
    3003,
    {
      name: 'session',
      category: 'authorization',
      activities: ['privileges_assigned', 'groups_assigned'],
      targets: ['user'],
    },
  ],
  [
    3004,
    {
      name: 'entity',
      category: 'configuration',
      activities: ['created', 'read', 'updated', 'deleted'],
      targets: ['entity'],
    },
  ],
  [
    3005,
    {
      name: 'user',
      category: 'authorization',
      activities: ['privileges_assigned', 'privileges_revoked'],
      targets: ['user'],
    },
  ],
  [
    3006,
    {
      name: 'group',
      category: 'authorization',
      activities: [
        'privileges_assigned',
        'privileges_revoked',
        'user_added',
        'user_removed',
        'deleted',
        'created',
      ],
      targets: ['group'],
    },
  ],
  [
    6003,
    {
      name: 'api',
      category: 'data_access',
      activities: ['create', 'read', 'update', 'delete'],
      targets: ['resources', 'resource'],
    },
  ],
])

const AUTHENTICATION = 3002
const FIRST_IDENTITY_CLASS = 3000
const LAST_IDENTITY_CLASS = 3999
const LOGOFF = 2

/** By the thousands of a class: system, findings, identity and access, network, discovery, application. */
const categories: ReadonlyMap<number, EventCategory> = new Map([
  [1, 'system'],
  [2, 'system'],
  [3, 'authorization'],
  [4, 'network'],
  [5, 'configuration'],
  [6, 'data_access'],
  [7, 'configuration'],
  [8, 'system'],
])

export function isAuthentication(classUid: number): boolean {
  return classUid === AUTHENTICATION
}

/** Classes of identity and access, whose `user` is whom it was done to. */
export function isIdentityClass(classUid: number): boolean {
  return classUid >= FIRST_IDENTITY_CLASS && classUid <= LAST_IDENTITY_CLASS
}

export function ocsfCategory(classUid: number): EventCategory {
  if (classUid === AUTHENTICATION) return 'authentication'
  return classes.get(classUid)?.category ?? categories.get(Math.floor(classUid / 1000)) ?? 'system'
}

/** `authentication_failure`, `account_locked`, `api_read`; `ocsf_4001` for an unlisted class. */
export function ocsfEventType(classUid: number, activity: number | null, result: EventResult | null): string {
  if (classUid === AUTHENTICATION) {
    if (activity === LOGOFF) return 'session_closed'
    return result === null ? 'authentication_attempt' : `authentication_${result}`
  }
  const known = classes.get(classUid)
  if (known === undefined) return `ocsf_${classUid}`
  return `${known.name}_${known.activities[(activity ?? 0) - 1] ?? 'changed'}`
}

export function targetsOf(classUid: number): readonly string[] {
  return classes.get(classUid)?.targets ?? ['resources', 'resource']
}
