import type { FastifyReply, FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import {
  finishFlow,
  flowSchema,
  type Issuer,
  providerUser,
  signInWithProvider,
  startFlow,
} from '../../identity/index.ts'
import { operation } from '../operation.ts'
import { isFromOtherSite, ownOrigin } from '../plugins/same-origin.ts'
import { clearCookie, cookieNames, readCookie, writeCookie } from '../plugins/session-cookie.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { answer } from './session.ts'

/** Seconds that a user may spend at the provider. */
const FLOW_LIFETIME_S = 10 * 60
const FLOW = 'sign-in at a provider'
const CALLBACK = '/v1/oidc/callback'

/** Signing in at an OpenID provider. Browsers come here by links and redirects, so failures are redirects too. */
export function oidcRoutes(app: App, { identity }: Services): void {
  const { issuers, login } = identity
  operation(app, 'GET /v1/oidc', {
    access: { public: 'anybody' },
    handle: async () => ({
      password: (await identity.rules()).localLogin,
      providers: issuers.map(({ settings: { name, label } }) => ({
        name,
        label: label ?? name,
        start: `/v1/oidc/${name}/start`,
      })),
    }),
  })
  operation(app, 'GET /v1/oidc/{name}/start', {
    access: { public: 'anybody' },
    handle: async (request, reply) => {
      const { returnTo, reauthenticate } = request.query
      // A provider that recognises the browser does not prompt, so a link from another site must not sign
      // people in.
      if (isFromOtherSite(request)) return reply.redirect(`/sign-in?next=${encodeURIComponent(returnTo)}`)
      const { url, flow } = await startFlow(issuerNamed(issuers, request.params.name), {
        redirectUri: `${requireOrigin(request, identity.publicUrl)}${CALLBACK}`,
        returnTo,
        reauthenticate: reauthenticate === 'true',
      })
      const sealed = await login.sealer.seal(FLOW, flow, FLOW_LIFETIME_S)
      writeCookie(reply, cookieNames.flow, sealed)
      return reply.redirect(url.href)
    },
  })
  operation(app, 'GET /v1/oidc/callback', {
    access: { public: 'anybody' },
    handle: async (request, reply) => {
      const sealed = readCookie(request, cookieNames.flow) ?? ''
      const flow = await login.sealer.open(FLOW, sealed, flowSchema)
      clearCookie(reply, cookieNames.flow)
      if (flow === null)
        return failed(reply, request, new AkashiError('unauthenticated', 'this sign-in has expired'))
      try {
        const issuer = issuerNamed(issuers, flow.issuer)
        const proven = await finishFlow(issuer, flow, new URL(request.url, flow.redirectUri).search)
        const user = await providerUser(login, request.actor, issuer.settings, proven)
        const step = await answer(
          identity,
          request,
          reply,
          await signInWithProvider(login, request.actor, user, proven),
        )
        if (step.step === 'done') return reply.redirect(flow.returnTo)
        // In a cookie, not the URL: it proves the first factor, and URLs end up in histories.
        writeCookie(reply, cookieNames.challenge, step.challenge)
        return reply.redirect('/?sign-in=second_factor')
      } catch (error) {
        if (error instanceof AkashiError) return failed(reply, request, error)
        throw error
      }
    },
  })
}

function issuerNamed(issuers: readonly Issuer[], name: string): Issuer {
  const found = issuers.find(({ settings }) => settings.name === name)
  if (found === undefined) throw new AkashiError('not_found', 'identity provider not found')
  return found
}

function requireOrigin(request: FastifyRequest, publicUrl: string | undefined): string {
  const origin = ownOrigin(request, publicUrl)
  if (origin === undefined) throw new AkashiError('invalid_config', 'the public URL is not set')
  return origin
}

/** The page shows a message for the code; the log has the details. */
function failed(reply: FastifyReply, request: FastifyRequest, error: AkashiError): FastifyReply {
  request.log.info({ err: error }, 'a sign-in at a provider failed')
  return reply.redirect(`/?sign-in=${error.code}`)
}
