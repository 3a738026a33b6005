/**
 * Refuses cross-site requests (CSRF) by `Sec-Fetch-Site`, or else `Origin`. If a cookie authenticates the
 * request, it must also have a header that only scripts of our own pages can set, which covers old browsers that
 * send neither.
 */
import { OWN_PAGE_HEADER } from '@akashi/contract'
import type { FastifyRequest } from 'fastify'
import { AkashiError, isLoopbackHost } from '../../foundation/index.ts'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** @throws AkashiError forbidden for a request with an unsafe method from another origin */
export function refuseOtherOrigins(request: FastifyRequest, publicUrl: string | undefined): void {
  if (!safeMethods.has(request.method) && !isSameOrigin(request, publicUrl)) throw otherOrigin()
}

/** The same for a request that a cookie authenticates. */
export function refuseForgery(request: FastifyRequest, publicUrl: string | undefined): void {
  const safe = safeMethods.has(request.method)
  // Any page can open a WebSocket with cookies, and no page can add a header to it.
  if (safe && request.headers.upgrade === undefined) return
  if (!isSameOrigin(request, publicUrl)) throw otherOrigin()
  if (!safe && request.headers[OWN_PAGE_HEADER] === undefined) {
    throw new AkashiError(
      'forbidden',
      `requests with a session cookie require the header ${OWN_PAGE_HEADER}`,
      {
        hint: `send ${OWN_PAGE_HEADER}: 1, or use an API key instead of the cookie`,
      },
    )
  }
}

/** Whether the browser says that a page of another origin caused the request; typing an address does not. */
export function isFromOtherSite({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  return site !== undefined && site !== 'same-origin' && site !== 'none'
}

/** Whether the request comes from one of our pages, as far as the browser says. */
function isSameOrigin(request: FastifyRequest, publicUrl: string | undefined): boolean {
  if (isFromOtherSite(request)) return false
  const { origin } = request.headers
  return origin === undefined || origin === ownOrigin(request, publicUrl)
}

/** The origin of this server's own pages: its public URL, or the loopback name of the request. */
export function ownOrigin(request: FastifyRequest, publicUrl: string | undefined): string | undefined {
  const { host } = request.headers
  if (isLoopbackHost(host)) return `${'encrypted' in request.socket ? 'https' : 'http'}://${host}`
  return publicUrl === undefined ? undefined : new URL(publicUrl).origin
}

function otherOrigin(): AkashiError {
  return new AkashiError('forbidden', 'the request comes from a page of another origin')
}
