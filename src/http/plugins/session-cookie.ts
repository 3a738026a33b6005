/**
 * The cookies of signing in. `__Host-` binds them to this host and to all its paths and demands `Secure`,
 * which browsers also accept from http://localhost and http://127.0.0.1; scripts never see them.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'

const SESSION = '__Host-akashi-session'
/** The way to a provider and back. */
const FLOW = '__Host-akashi-sign-in'
/** Between the first factor and the second, after a provider's redirect. */
const CHALLENGE = '__Host-akashi-challenge'

export type CookieName = typeof SESSION | typeof FLOW | typeof CHALLENGE
export const cookieNames = { session: SESSION, flow: FLOW, challenge: CHALLENGE } as const

/** Lax: sent when a link or a provider's redirect leads here, never with a request that another site makes. */
const attributes = { path: '/', httpOnly: true, secure: true, sameSite: 'lax' } as const

export function readCookie(request: FastifyRequest, name: CookieName): string | undefined {
  return request.cookies[name]
}

/** @param until without it, until the browser closes */
export function writeCookie(reply: FastifyReply, name: CookieName, value: string, until?: Date): void {
  reply.setCookie(name, value, { ...attributes, ...(until === undefined ? {} : { expires: until }) })
  reply.header('cache-control', 'no-store')
}

export function clearCookie(reply: FastifyReply, name: CookieName): void {
  reply.clearCookie(name, attributes)
}
