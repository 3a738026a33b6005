/**
 * Enforces the access that routes declare. The server does not start if a route declares none. Callers without
 * access are refused before the body is read.
 */
import type { PermissionName } from '@akashi/contract'
import type { FastifyRequest, RouteHandlerMethod } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import { recordDenial, requirePermission } from '../../identity/index.ts'
import { type Access, type DeclaredRoute, permissionsOf } from '../access.ts'
import type { App } from '../schema.ts'
import type { Identity } from '../services.ts'
import { authenticate, isDirectlyLocal, requireStepUp, sessionOf, userOf } from './authentication.ts'
import { type Budget, spending } from './budget.ts'
import { authenticateLink } from './evidence-session.ts'
import { refuseOtherOrigins } from './same-origin.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly access?: Access
    readonly budget?: Budget
  }
  interface FastifyInstance {
    /** Every route, filled as routes are added. */
    readonly accessTable: DeclaredRoute[]
    /** The access of routes that a plugin adds, which cannot declare it themselves. */
    readonly accessOfPlugin: Access | undefined
  }
}

const ofUnknownPaths: Access = { signedIn: 'anybody', scope: 'any' }

/** Call it before any route is added, and after the cookies are parsed. */
export function controlAccess(app: App, identity: Identity): void {
  const table: DeclaredRoute[] = []
  const undeclared: string[] = []
  app.decorate('accessTable', table)
  app.decorate('accessOfPlugin', undefined)
  const budgets = new Map<Budget, ReturnType<typeof spending>>()
  app.addHook('onRoute', function (route) {
    const { method, url, schema = {} } = route
    const access = route.config?.access ?? this.accessOfPlugin
    if (access === undefined) {
      undeclared.push(`${method} ${url}`)
      return
    }
    route.config = { ...route.config, access }
    const { budget } = route.config
    if (budget !== undefined) budgets.set(budget, spending(budget))
    const [permission] = permissionsOf(access)
    if (permission !== undefined && route.websocket !== true) {
      route.handler = recordingRefusals(identity, permission, route.handler)
    }
    if (this.accessOfPlugin === undefined && method !== 'HEAD') {
      table.push({ method: String(method), url, access, schema })
    }
  })
  app.addHook('onReady', async () => {
    if (undeclared.length === 0) return
    throw new AkashiError('internal', `routes do not declare their access: ${undeclared.join(', ')}`, {
      hint: 'add them with operation()',
    })
  })
  app.after(() => {
    app.addHook('onRequest', async (request) => {
      if (request.is404) return
      await admit(identity, request, declaredBy(request))
      const { budget } = request.routeOptions.config
      if (budget !== undefined) budgets.get(budget)?.(request)
    })
    app.addHook('preHandler', async (request) => {
      if (!request.is404) checkReason(request, declaredBy(request))
    })
  })
}

/** Hides from unauthenticated callers which paths exist below this scope. */
export function hideUnknownPaths(scope: App, identity: Identity): void {
  scope.addHook('onRequest', async (request) => {
    if (request.is404) await admit(identity, request, ofUnknownPaths)
  })
}

function declaredBy(request: FastifyRequest): Access {
  const { access } = request.routeOptions.config
  if (access === undefined) throw new AkashiError('internal', 'the route was added before access control')
  return access
}

async function admit(identity: Identity, request: FastifyRequest, access: Access): Promise<void> {
  if ('public' in access) {
    refuseOtherOrigins(request, identity.publicUrl)
    if (access.public === 'anybody' || isDirectlyLocal(request)) return
  }
  if ('link' in access) await authenticateLink(request, identity)
  else await admitAccount(identity, request, access)
}

async function admitAccount(
  identity: Identity,
  request: FastifyRequest,
  access: Exclude<Access, { readonly link: unknown }>,
): Promise<void> {
  await authenticate(request, identity, 'whilePending' in access)
  if ('scope' in access) {
    if (access.scope === 'none') sessionOf(request)
    if (('self' in access ? access.self : access.signedIn) === 'person') userOf(request)
  }
  if ('permission' in access) {
    if (access.by === 'session') sessionOf(request)
    if (access.by !== undefined) userOf(request)
  }
  if (!mayBeOwner(request, access)) {
    const log = memberOf(request.params, 'log')
    for (const permission of permissionsOf(access, typeof log === 'string' ? log : undefined)) {
      await requirePermission(identity.login.app, request.actor, permission)
    }
  }
  if ('stepUp' in access && access.stepUp === true) await requireStepUp(request, identity)
}

/** Whether the caller is the owner according to the path, or the database has to check. */
function mayBeOwner(request: FastifyRequest, access: Access): boolean {
  if (!('self' in access && 'others' in access)) return false
  if (access.self === 'caller') return true
  const owner = memberOf(request.params, access.self.slice(1))
  return owner !== undefined && owner === request.actor.userId
}

/** Once the body was read and validated. */
function checkReason(request: FastifyRequest, access: Access): void {
  if ('public' in access || 'link' in access) return
  const { reason } = access
  if (reason === undefined) return
  const holder = reason === true ? request.body : memberOf(request.body, reason.with)
  if (reason !== true && holder === undefined) return
  const stated = memberOf(holder, 'reason')
  if (typeof stated === 'string' && stated.trim() !== '') return
  throw new AkashiError('invalid_input', 'a reason is required', { hint: 'give it as "reason"' })
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

/**
 * Records when the database denies permission while a route is handled. Needs its own transaction, because the
 * refused one was rolled back.
 */
function recordingRefusals(
  { login }: Identity,
  permission: PermissionName,
  handle: RouteHandlerMethod,
): RouteHandlerMethod {
  return async function (request, reply) {
    try {
      return await handle.call(this, request, reply)
    } catch (error) {
      if (error instanceof AkashiError && error.code === 'forbidden') {
        await recordDenial(login.app, request.actor, permission)
      }
      throw error
    }
  }
}
