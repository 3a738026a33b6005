import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../foundation/index.ts'
import type { RelyingParty } from '../identity/index.ts'
import { ownOrigin } from './plugins/same-origin.ts'

/**
 * The site of this server's pages, for passkeys. @throws unsupported if the host is an IP address, which
 * passkeys do not support
 */
export function relyingParty(request: FastifyRequest, publicUrl: string | undefined): RelyingParty {
  const origin = ownOrigin(request, publicUrl)
  const id = origin === undefined ? '' : new URL(origin).hostname.replace(/^\[|\]$/g, '')
  if (origin === undefined || isIP(id) !== 0) {
    throw new AkashiError('unsupported', 'passkeys need a host name', {
      hint: 'use http://localhost, or the host name of the setting publicUrl',
    })
  }
  return { id, origin }
}
