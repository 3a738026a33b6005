/**
 * What every route declares: who is admitted, what else is required, and which read access it records.
 * `plugins/access-control.ts` enforces it, `npm run docs` writes docs/access-matrix.md from it.
 */
import type { PermissionName } from '@akashi/contract'
import type { FastifySchema } from 'fastify'

/** In every request, or only in those whose body has this member. */
export type When = true | { readonly with: string }

/** `any`: every API key or token of the caller, whatever its scopes. `none`: a session and nothing else. */
export type Scope = 'any' | 'none'

interface Requirements {
  /**
   * Recent confirmation: the session showed credentials lately. A key or token cannot be asked again, so its
   * scopes decide; but where only a member of the body requires it, a session is required as well.
   */
  readonly stepUp?: When
  /** A stated reason: `reason` in the body, or in the member that requires it. */
  readonly reason?: When
  /** The resource that the action `data_access` of the trail names; `*`: each table or log that the request names. */
  readonly reads?: string
}

/** Callers whose roles, and whose key's scopes, hold the permission, or all of several. */
interface ByPermission extends Requirements {
  readonly permission: PermissionName | readonly PermissionName[]
}

/** A person, about themselves; service accounts are refused. */
interface ByOneself extends Requirements {
  readonly self: 'person'
  readonly scope: Scope
  /** Also for a session that still lacks a new password or a second factor. */
  readonly whilePending?: true
}

/**
 * The owner, or whoever holds the permission `others`: the owner is the person that a parameter of the path
 * names, or (`caller`) the user or service that the database finds to own the row.
 */
interface ByOwner extends Requirements {
  readonly self: 'caller' | `:${string}`
  readonly others: PermissionName
}

/** Anyone who is signed in; a `person` is not a service account. The database decides about single rows. */
interface BySignIn extends Requirements {
  readonly signedIn: 'anybody' | 'person'
  readonly scope: Scope
}

/** No credentials needed: for anyone, or for callers on this machine while others must be signed in. */
interface Public {
  readonly public: 'anybody' | 'this machine'
}

export type Access = ByPermission | ByOneself | ByOwner | BySignIn | Public

/** The permissions that everybody needs, or everybody but the owner. */
export function permissionsOf(access: Access): readonly PermissionName[] {
  if ('permission' in access) return [access.permission].flat()
  return 'others' in access ? [access.others] : []
}

/** One row of the table of all routes. */
export interface DeclaredRoute {
  readonly method: string
  readonly url: string
  readonly access: Access
  readonly schema: FastifySchema
}
