import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import {
  eventTimeline,
  readEvent,
  remediate,
  remediationChange,
  remediationStates,
  searchEvents,
  submitEvents,
  submitFormats,
  timelineIntervals,
} from '../../security/index.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { route } from '../route.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Bodies that are being stored at once; their senders wait for the database, and whoever comes then is sent away. */
const MAX_UNDER_WAY = 32
const RETRY_AFTER_S = 1

const contentTypes = ['application/json', 'application/x-ndjson', 'application/jsonl']
const ONE_DOCUMENT = 'application/json'
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20

const text = z.string().optional()
const conditions = {
  from: text.describe('events at or after this time, ISO 8601 with an offset'),
  to: text.describe('events before this time'),
  type: text,
  category: text,
  severity: text,
  minSeverity: text.describe('this severity and every more urgent one'),
  service: text,
  result: text,
  userId: text,
  userName: text,
  externalUserId: text,
  sessionId: text,
  address: text.describe('an address, or a network such as 192.0.2.0/24'),
  resourceType: text,
  resourceId: text,
  tenantId: text,
  clientId: text,
  requestId: text,
  traceId: text,
  status: text.describe(`remediation: ${remediationStates.join(', ')}`),
  assignee: text,
}
/** Numbers of a query are text; what is no number stays, and the search says so. */
const limit = z.coerce.number().optional()

const row = z.record(z.string(), z.unknown())
const page = z.object({
  rows: z.array(row),
  next: z.string().nullable().describe('cursor of the next page; null when this is the last'),
})
const timeline = z.object({
  interval: z.string(),
  total: z.int(),
  buckets: z.array(z.object({ at: z.string(), count: z.int(), severities: z.record(z.string(), z.int()) })),
})
const submission = z.object({
  read: z.int().describe('lines, or records of a document'),
  accepted: z.int(),
  stored: z.int().describe('events that were not there before'),
  known: z.int(),
  rejected: z.array(z.object({ line: z.int(), reason: z.string() })),
})
const remediation = z.object({
  eventId: z.string(),
  status: z.enum(remediationStates),
  notes: z.string().nullable(),
  assignee: z.string().nullable(),
  resolvedAt: z.string().nullable(),
  updatedAt: z.string(),
})

/** Leaves out what was not given. What is given the search checks itself, and names every mistake. */
function given(query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined))
}

/** Security events: sent by services, searched, counted over time, and what is done about them. */
export function eventRoutes(app: App, { trail, app: application }: Services): void {
  app.register((scope: App, _, done) => {
    takeEvents(scope, application)
    done()
  })
  route(app, {
    method: 'GET',
    url: '/events',
    access: { permission: 'events:read', reads: 'security.security_events' },
    schema: {
      summary: 'Security events, newest first',
      tags: ['events'],
      querystring: z.strictObject({
        ...conditions,
        text: text.describe('looked for in descriptions and details; needs from beside it'),
        cursor: text.describe('next of the page before'),
        limit,
      }),
      response: { 200: page },
    },
    handle: async (request) => {
      const { rows, next } = await searchEvents(trail, request.actor, given(request.query))
      return { rows: rows.map((found) => ({ ...found })), next }
    },
  })
  route(app, {
    method: 'GET',
    url: '/events/timeline',
    access: { permission: 'events:read', reads: 'security.security_events' },
    schema: {
      summary: 'How many events there were in each interval',
      tags: ['events'],
      querystring: z.strictObject({
        ...conditions,
        from: z.string(),
        to: z.string(),
        interval: z.enum(timelineIntervals),
      }),
      response: { 200: timeline },
    },
    handle: async (request) => {
      const { from, to, interval, ...rest } = request.query
      const found = await eventTimeline(trail, request.actor, { ...given(rest), from, to, interval })
      return { ...found, buckets: found.buckets.map((bucket) => ({ ...bucket })) }
    },
  })
  route(app, {
    method: 'GET',
    url: '/events/:id',
    access: { permission: 'events:read', reads: 'security.security_events' },
    schema: {
      summary: 'One security event',
      tags: ['events'],
      params: z.strictObject({ id: z.string() }),
      response: { 200: row },
    },
    handle: async (request) => ({ ...(await readEvent(trail, request.actor, request.params.id)) }),
  })
  route(app, {
    method: 'PATCH',
    url: '/events/:id',
    access: { permission: 'events:write' },
    schema: {
      summary: 'Say what is done about an event; what is left out stays',
      tags: ['events'],
      params: z.strictObject({ id: z.string() }),
      body: remediationChange,
      response: { 200: remediation },
    },
    handle: async (request) => await remediate(trail, request.actor, request.params.id, request.body),
  })
}

function takeEvents(scope: App, application: Services['app']): void {
  let underWay = 0
  // Events are parsed one by one, so that a mistake in one of them rejects that one.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(contentTypes, { parseAs: 'buffer' }, (_request, body, parsed) =>
    parsed(null, body),
  )
  route(scope, {
    method: 'POST',
    url: '/events',
    access: { permission: 'events:write' },
    schema: {
      summary: 'Send security events: one, an array, or JSON lines',
      description:
        'Each event happened from 7 days ago to 5 minutes ahead. Sending the same again adds nothing. Events are judged one by one; when none is accepted the answer is 400.',
      tags: ['events'],
      querystring: z.strictObject({ format: z.enum(submitFormats).default('json') }),
      body: z.unknown().describe('an event, an array of them, or one a line'),
      response: {
        200: submission,
      },
    },
    handle: async (request, reply) => {
      if (underWay >= MAX_UNDER_WAY) {
        reply.header('retry-after', RETRY_AFTER_S)
        throw new AkashiError('rate_limited', 'more events arrive than can be stored', {
          hint: `send the same again after ${RETRY_AFTER_S} s`,
        })
      }
      underWay += 1
      try {
        const { format } = request.query
        const body = linesOf(request.body, request.headers['content-type'])
        const result = await submitEvents(application, request.actor, body, {
          format,
          signal: callerSignal(reply),
        })
        if (result.accepted === 0) {
          throw new AkashiError('invalid_input', `none of ${result.read} events can be taken in`, {
            hint: result.read === 0 ? 'send at least one' : 'see errors',
            detail: { errors: result.rejected },
          })
        }
        return { ...result, rejected: result.rejected.map((each) => ({ ...each })) }
      } finally {
        underWay -= 1
      }
    },
  })
}

/** A document may be written over several lines; their ends are only white space between its tokens. */
function linesOf(body: unknown, contentType = ''): Uint8Array {
  if (!(body instanceof Uint8Array)) return new Uint8Array(0)
  const [type = ''] = contentType.split(';')
  if (type.trim().toLowerCase() !== ONE_DOCUMENT) return body
  const document = Buffer.from(body)
  try {
    JSON.parse(document.toString('utf8'))
  } catch (cause) {
    throw new AkashiError('invalid_input', 'the request body is not valid JSON', {
      hint: 'send one event a line as application/x-ndjson',
      cause,
    })
  }
  return document.map((byte) => (byte === LINE_FEED || byte === CARRIAGE_RETURN ? SPACE : byte))
}
