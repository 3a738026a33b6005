import type { TlsOptions } from 'node:tls'
import cookies from '@fastify/cookie'
import Fastify, { LogController } from 'fastify'
import { type HttpLimits, httpLimits } from './limits.ts'
import { controlAccess, hideUnknownPaths } from './plugins/access-control.ts'
import { refuseEncodedBodies } from './plugins/body-encoding.ts'
import { answerClientError } from './plugins/client-errors.ts'
import { limitInFlight } from './plugins/in-flight.ts'
import { serveKnownHosts } from './plugins/loopback-guard.ts'
import { forbidStoring } from './plugins/no-store.ts'
import { describeApi } from './plugins/openapi.ts'
import { answerProblems, notFoundHandler, sendProblem } from './plugins/problem-details.ts'
import { limitRate } from './plugins/rate-limit.ts'
import { describeActor } from './plugins/request-actor.ts'
import { echoRequestIds, requestIdOf } from './plugins/request-id.ts'
import { observeRequests } from './plugins/request-metrics.ts'
import { setSecurityHeaders } from './plugins/security-headers.ts'
import { traceRequests } from './plugins/tracing.ts'
import { accessReviewRoutes } from './routes/access-reviews.ts'
import { alarmRoutes } from './routes/alarms.ts'
import { apiKeyRoutes } from './routes/api-keys.ts'
import { approvalRoutes } from './routes/approvals.ts'
import { archiveRoutes } from './routes/archive.ts'
import { auditRoutes } from './routes/audit.ts'
import { backupWorkRoutes } from './routes/backup-work.ts'
import { backupRoutes } from './routes/backups.ts'
import { channelRoutes } from './routes/channels.ts'
import { chatRoutes } from './routes/chat/index.ts'
import { costRoute } from './routes/cost.ts'
import { crosscheckRoutes } from './routes/crosscheck.ts'
import { detectionRoutes } from './routes/detection.ts'
import { doctorRoute } from './routes/doctor.ts'
import { eventRoutes } from './routes/events.ts'
import { evidenceRoutes } from './routes/evidence.ts'
import { evidenceRoomRoutes } from './routes/evidence-room.ts'
import { healthRoute } from './routes/health.ts'
import { jobRoutes } from './routes/jobs.ts'
import { keyRoutes } from './routes/keys.ts'
import { ledgerRoutes } from './routes/ledger.ts'
import { ledgerRecordRoutes } from './routes/ledger-records.ts'
import { meRoutes } from './routes/me.ts'
import { metricsRoute } from './routes/metrics.ts'
import { oidcRoutes } from './routes/oidc.ts'
import { pageOrNotFound, pageRoutes } from './routes/page.ts'
import { partitionRoutes } from './routes/partitions.ts'
import { permissionRoutes } from './routes/permissions.ts'
import { policyRoutes } from './routes/policies.ts'
import { protectionRoutes } from './routes/protections.ts'
import { queryRoutes } from './routes/query.ts'
import { readinessRoute } from './routes/readiness.ts'
import { reportRoutes } from './routes/reports.ts'
import { restoreRoutes } from './routes/restores.ts'
import { roleRoutes } from './routes/roles.ts'
import { savedQueryRoutes } from './routes/saved-queries.ts'
import { serviceAccountRoutes } from './routes/service-accounts.ts'
import { sessionRoutes } from './routes/session.ts'
import { statusRoute } from './routes/status.ts'
import { userRoutes } from './routes/users.ts'
import { verificationRoutes } from './routes/verifications.ts'
import { type App, useZod } from './schema.ts'
import type { Services } from './services.ts'

/**
 * The HTTP application: `await app.listen({ host: '127.0.0.1', port })` serves, `await app.close()` waits for
 * running requests. The order below is the order of processing: request id and actor, response headers, guards,
 * then the route.
 *
 * @param tls the certificate to serve HTTPS with; without it, plain HTTP is served
 */
export function buildApp(services: Services, limits: HttpLimits = httpLimits, tls?: TlsOptions): App {
  const parser = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    connectionsCheckingInterval: limits.timeoutCheckMs,
  }
  const app: App = Fastify({
    loggerInstance: services.log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIdOf,
    trustProxy: services.trustedProxies.length === 0 ? false : [...services.trustedProxies],
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    handlerTimeout: limits.handlerTimeoutMs,
    connectionTimeout: limits.connectionTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    ...(tls === undefined
      ? { http: parser }
      : { https: { ...parser, ...tls, handshakeTimeout: limits.headersTimeoutMs } }),
    forceCloseConnections: 'idle',
    // A request on a kept-alive connection gets a response with `connection: close` rather than a 503.
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: sendProblem,
  })
  traceRequests(app)
  echoRequestIds(app)
  describeActor(app, services.version)
  observeRequests(app, services.metrics)
  answerProblems(app)
  useZod(app)
  const notFound = notFoundHandler(app)
  setSecurityHeaders(app)
  app.after(() => serveKnownHosts(app, services.identity.publicUrl))
  limitRate(app, limits)
  app.register(cookies)
  limitInFlight(app, limits)
  controlAccess(app, services.identity)
  describeApi(app, services.version)
  app.register((open: App, _, done) => {
    healthRoute(open, services.version)
    readinessRoute(open, services, limits)
    metricsRoute(open, services.metrics)
    pageRoutes(open)
    open.setNotFoundHandler(pageOrNotFound(notFound))
    done()
  })
  app.register(
    (v1: App, _, done) => {
      forbidStoring(v1)
      refuseEncodedBodies(v1)
      hideUnknownPaths(v1, services.identity)
      v1.setNotFoundHandler(notFound)
      for (const add of areas) add(v1, services)
      done()
    },
    { prefix: '/v1' },
  )
  return app
}

/** The routes below /v1, each with its access. */
const areas: readonly ((v1: App, services: Services) => void)[] = [
  statusRoute,
  auditRoutes,
  verificationRoutes,
  ledgerRoutes,
  ledgerRecordRoutes,
  evidenceRoutes,
  evidenceRoomRoutes,
  protectionRoutes,
  crosscheckRoutes,
  eventRoutes,
  detectionRoutes,
  channelRoutes,
  archiveRoutes,
  partitionRoutes,
  queryRoutes,
  savedQueryRoutes,
  backupRoutes,
  backupWorkRoutes,
  restoreRoutes,
  jobRoutes,
  reportRoutes,
  alarmRoutes,
  doctorRoute,
  keyRoutes,
  costRoute,
  sessionRoutes,
  oidcRoutes,
  meRoutes,
  roleRoutes,
  permissionRoutes,
  apiKeyRoutes,
  serviceAccountRoutes,
  policyRoutes,
  userRoutes,
  accessReviewRoutes,
  approvalRoutes,
  chatRoutes,
]
