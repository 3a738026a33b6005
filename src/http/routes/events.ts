import { MAX_PAGE_SIZE } from '@akashi/contract'
import { recordHistory } from '../../audit/index.ts'
import { AkashiError, given } from '../../foundation/index.ts'
import {
  type EventFilter,
  eventTimeline,
  readEvent,
  readRemediation,
  remediate,
  searchEvents,
  submitEvents,
  type TimelineQuery,
} from '../../security/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Bodies stored concurrently; further ones are refused with a retry time. */
const MAX_CONCURRENT = 32
const RETRY_AFTER_S = 1

const contentTypes = ['application/json', 'application/x-ndjson', 'application/jsonl']
const ONE_DOCUMENT = 'application/json'
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20

/** Security events: sent by services, searched, counted over time, and what is done about them. */
export function eventRoutes(app: App, { securityAdmin, app: application }: Services): void {
  app.register((scope: App, _, done) => {
    submitRoute(scope, application)
    done()
  })
  operation(app, 'GET /v1/events', {
    access: { permission: 'events:read', reads: 'akashi_security.security_events' },
    // The search checks the filter itself, and names every mistake.
    handle: ({ actor, query }) => searchEvents(securityAdmin, actor, given(query) as EventFilter),
  })
  operation(app, 'GET /v1/events/timeline', {
    access: { permission: 'events:read', reads: 'akashi_security.security_events' },
    handle: ({ actor, query }) => eventTimeline(securityAdmin, actor, given(query) as TimelineQuery),
  })
  operation(app, 'GET /v1/events/{id}', {
    access: { permission: 'events:read', reads: 'akashi_security.security_events' },
    handle: (request) => readEvent(securityAdmin, request.actor, request.params.id),
  })
  operation(app, 'GET /v1/events/{id}/remediation', {
    access: { permission: ['events:read', 'audit_logs:read'] },
    handle: async ({ actor, params }) => {
      const { recordId, ...now } = await readRemediation(securityAdmin, actor, params.id)
      const versions =
        recordId === null
          ? []
          : (
              await recordHistory(securityAdmin, actor, {
                schema: 'akashi_security',
                table: 'remediations',
                recordId,
                limit: MAX_PAGE_SIZE,
              })
            ).rows
      const text = (value: unknown) => (typeof value === 'string' ? value : null)
      return {
        ...now,
        changes: versions.map(({ createdAt, userId, subject, dbUser, newValues }) => ({
          at: createdAt,
          by: userId ?? subject ?? dbUser,
          status: text(newValues?.['remediation_status']),
          notes: text(newValues?.['remediation_notes']),
          assignee: text(newValues?.['assignee']),
        })),
      }
    },
  })
  operation(app, 'PATCH /v1/events/{id}', {
    access: { permission: 'events:write' },
    handle: (request) => remediate(securityAdmin, request.actor, request.params.id, request.body),
  })
}

function submitRoute(scope: App, application: Services['app']): void {
  let running = 0
  // Events are parsed one by one, so that a mistake in one of them rejects only that one.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(contentTypes, { parseAs: 'buffer' }, (_request, body, parsed) =>
    parsed(null, body),
  )
  operation(scope, 'POST /v1/events', {
    access: { permission: 'events:write' },
    handle: async (request, reply) => {
      if (running >= MAX_CONCURRENT) {
        reply.header('retry-after', RETRY_AFTER_S)
        throw new AkashiError('rate_limited', 'events arrive faster than they can be stored', {
          hint: `send the request again after ${RETRY_AFTER_S} s`,
        })
      }
      running += 1
      try {
        const { format } = request.query
        const body = linesOf(request.body, request.headers['content-type'])
        const result = await submitEvents(application, request.actor, body, {
          format,
          signal: callerSignal(reply),
        })
        if (result.accepted === 0) {
          throw new AkashiError('invalid_input', `none of ${result.read} events is valid`, {
            hint: result.read === 0 ? 'send at least one event' : 'see errors',
            detail: { errors: result.rejected },
          })
        }
        return result
      } finally {
        running -= 1
      }
    },
  })
}

/** Puts a JSON document on one line: line breaks between its tokens are only white space. */
function linesOf(body: unknown, contentType = ''): Uint8Array {
  if (!(body instanceof Uint8Array)) return new Uint8Array(0)
  const [type = ''] = contentType.split(';')
  if (type.trim().toLowerCase() !== ONE_DOCUMENT) return body
  const document = Buffer.from(body)
  try {
    JSON.parse(document.toString('utf8'))
  } catch (cause) {
    throw new AkashiError('invalid_input', 'the request body is not valid JSON', {
      hint: 'send one event per line as application/x-ndjson',
      cause,
    })
  }
  return document.map((byte) => (byte === LINE_FEED || byte === CARRIAGE_RETURN ? SPACE : byte))
}
