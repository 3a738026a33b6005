/**
 * The cookies of sign-in. `__Host-` binds them to this host and requires `Secure`, which browsers also accept
 * from http://localhost and http://127.0.0.1. They are invisible to scripts.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'

const SESSION = '__Host-akashi-session'
/** State of the redirect to a provider and back. */
const FLOW = '__Host-akashi-sign-in'
/** Between the first factor and the second, after a provider's redirect. */
const CHALLENGE = '__Host-akashi-challenge'

/** Of somebody without an account who opened an evidence link. */
const EVIDENCE = '__Host-akashi-evidence'

export type CookieName = typeof SESSION | typeof FLOW | typeof CHALLENGE | typeof EVIDENCE
export const cookieNames = {
  session: SESSION,
  flow: FLOW,
  challenge: CHALLENGE,
  evidence: EVIDENCE,
} as const

/** Lax: sent when a link or a provider's redirect leads here, but not with requests made by another site. */
const attributes = { path: '/', httpOnly: true, secure: true, sameSite: 'lax' } as const

export function readCookie(request: FastifyRequest, name: CookieName): string | undefined {
  return request.cookies[name]
}

/** @param until without it, the cookie ends with the browser session */
export function writeCookie(
  reply: FastifyReply,
  name: CookieName,
  value: string,
  until?: Date,
  sameSite: 'lax' | 'strict' = 'lax',
): void {
  reply.setCookie(name, value, {
    ...attributes,
    sameSite,
    ...(until === undefined ? {} : { expires: until }),
  })
  reply.header('cache-control', 'no-store')
}

export function clearCookie(reply: FastifyReply, name: CookieName): void {
  reply.clearCookie(name, attributes)
}
