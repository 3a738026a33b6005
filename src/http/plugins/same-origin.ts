/**
 * Requests that a page of another origin makes in somebody's browser (CSRF) are refused by what browsers say
 * of themselves: `Sec-Fetch-Site`, else `Origin`. Where a cookie speaks for the user, a header that only a
 * script of our own pages can set is asked for as well, so that an old browser that says neither is safe too.
 */
import { OWN_PAGE_HEADER } from '@akashi/contract'
import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import { isLoopbackHost } from '../loopback.ts'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** @throws AkashiError forbidden for a request that changes something and comes from elsewhere */
export function refuseOtherOrigins(request: FastifyRequest, publicUrl: string | undefined): void {
  if (!safeMethods.has(request.method) && !isSameOrigin(request, publicUrl)) throw otherOrigin()
}

/** The same for a request that a cookie authenticates. */
export function refuseForgery(request: FastifyRequest, publicUrl: string | undefined): void {
  const safe = safeMethods.has(request.method)
  // Browsers let any page open a WebSocket, cookies included, and no page can add a header to it.
  if (safe && request.headers.upgrade === undefined) return
  if (!isSameOrigin(request, publicUrl)) throw otherOrigin()
  if (!safe && request.headers[OWN_PAGE_HEADER] === undefined) {
    throw new AkashiError(
      'forbidden',
      `a request with a session cookie needs the header ${OWN_PAGE_HEADER}`,
      {
        hint: `send ${OWN_PAGE_HEADER}: 1, or an API key in place of the cookie`,
      },
    )
  }
}

/** Whether a browser's request comes from a page of ours, as far as it says. */
function isSameOrigin(request: FastifyRequest, publicUrl: string | undefined): boolean {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  const { origin } = request.headers
  return origin === undefined || origin === ownOrigin(request, publicUrl)
}

/** Where this server's own pages are: its public URL, or this machine under the name that was asked. */
export function ownOrigin(request: FastifyRequest, publicUrl: string | undefined): string | undefined {
  const { host } = request.headers
  if (isLoopbackHost(host)) return `http://${host}`
  return publicUrl === undefined ? undefined : new URL(publicUrl).origin
}

function otherOrigin(): AkashiError {
  return new AkashiError('forbidden', 'the request comes from a page of another origin')
}
