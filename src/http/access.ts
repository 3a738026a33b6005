/**
 * What every route states of itself: whom it admits, what it asks beside, and which reading it records.
 * `plugins/access-control.ts` enforces it, `npm run docs` writes docs/access-matrix.md from it.
 */
import type { FastifySchema } from 'fastify'
import type { PermissionName } from '../identity/index.ts'

/** In every request, or in those whose body has this member. */
export type When = true | { readonly with: string }

/** `any`: every API key or token of the caller, whatever its scopes. `none`: a session and nothing else. */
export type Scope = 'any' | 'none'

interface Asked {
  /**
   * Credentials that were shown lately. A key or token cannot be asked again, so its scopes decide; where a
   * member of the body asks for it, it takes a session.
   */
  readonly stepUp?: When
  /** A reason, as `reason` in the body or in the member that asks for it. */
  readonly reason?: When
  /** The resource that the action `data_access` of the trail names; `*` is those that the request names. */
  readonly reads?: string
}

/** Callers whose roles, and whose key's scopes, hold the permission, or all of several. */
interface ByPermission extends Asked {
  readonly permission: PermissionName | readonly PermissionName[]
}

/** A person, about themselves: services are refused. */
interface ByOneself extends Asked {
  readonly self: 'person'
  readonly scope: Scope
  /** Also while the session lacks a new password or a second factor. */
  readonly whilePending?: true
}

/**
 * The owner, or whoever holds the permission `others`: the owner is the person that a parameter of the path
 * names, or (`caller`) the user or service that the database finds to own the row.
 */
interface ByOwner extends Asked {
  readonly self: 'caller' | `:${string}`
  readonly others: PermissionName
}

/** Whoever is signed in; a `person` is not a service. The database decides about single rows. */
interface BySignIn extends Asked {
  readonly signedIn: 'anybody' | 'person'
  readonly scope: Scope
}

/** Callers without credentials: all, or those on this machine, where others must be signed in. */
interface Public {
  readonly public: 'anybody' | 'this machine'
}

export type Access = ByPermission | ByOneself | ByOwner | BySignIn | Public

/** The permissions that are asked of everybody, or of everybody but the owner. */
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
