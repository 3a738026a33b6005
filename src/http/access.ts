/**
 * What every route declares: who may call it, what else is required, and which data access is recorded.
 * `plugins/access-control.ts` enforces it; `npm run docs` generates docs/access-matrix.md from it.
 */
import type { PermissionName } from '@akashi/contract'
import type { FastifySchema } from 'fastify'
import { logNamed } from '../audit/index.ts'

/** `any`: any API key or token of the caller, regardless of its scopes. `none`: only a session. */
export type Scope = 'any' | 'none'

interface Requirements {
  /**
   * Recent confirmation: credentials were presented recently in the session. A key or token cannot confirm, so
   * its scopes decide.
   */
  readonly stepUp?: true
  /** A reason: `reason` in the body, or in this member of it where there is one. */
  readonly reason?: true | { readonly with: string }
  /** The resource of the audit action `data_access`; `*`: each table or log that the request names. */
  readonly reads?: string
}

/** Callers whose roles, and whose key's scopes, include the permission, or all of several. */
interface ByPermission extends Requirements {
  readonly permission: PermissionName | readonly PermissionName[]
  /** Not for service accounts; `session`: not for keys and tokens either. */
  readonly by?: 'person' | 'session'
  /** Also the permission that guards the rows of the log which the path names. */
  readonly ofLog?: true
}

/** Persons, about themselves; service accounts are refused. */
interface ByOneself extends Requirements {
  readonly self: 'person'
  readonly scope: Scope
  /** Also for a session that must still set a new password or a second factor. */
  readonly whilePending?: true
}

/**
 * The owner, or callers with the permission `others`. The owner is the person in a path parameter, or with
 * `caller` the user or service account that owns the row, which the database checks.
 */
interface ByOwner extends Requirements {
  readonly self: 'caller' | `:${string}`
  readonly others: PermissionName
}

/** Anyone authenticated; `person` excludes service accounts. The database decides about single rows. */
interface BySignIn extends Requirements {
  readonly signedIn: 'anybody' | 'person'
  readonly scope: Scope
}

/** Whoever opened an evidence link, and nobody else: neither sessions nor keys of accounts count. */
interface ByLink {
  readonly link: 'evidence'
  readonly reads?: string
}

/** No credentials needed. */
interface Public {
  readonly public: 'anybody'
}

/** Callers on this machine, without credentials, or callers with the permission `others`. */
interface ByMachine {
  readonly public: 'this machine'
  readonly others: PermissionName
}

export type Access = ByPermission | ByOneself | ByOwner | BySignIn | ByLink | Public | ByMachine

/**
 * The required permissions; the owner does not need them.
 *
 * @param log name of the log in the path; without one, only what does not depend on it
 * @throws AkashiError invalid_input for a log that does not exist
 */
export function permissionsOf(access: Access, log?: string): readonly PermissionName[] {
  if ('permission' in access) {
    const own = access.ofLog === true && log !== undefined ? [logNamed(log).permission] : []
    return [...new Set([access.permission, own].flat())]
  }
  return 'others' in access ? [access.others] : []
}

/** One row of the access matrix. */
export interface DeclaredRoute {
  readonly method: string
  readonly url: string
  readonly access: Access
  readonly schema: FastifySchema
}
