import Fastify, { LogController } from 'fastify'
import { type HttpLimits, httpLimits } from './limits.ts'
import { requireBootstrapKey } from './plugins/bootstrap-key.ts'
import { answerClientError } from './plugins/client-errors.ts'
import { serveLoopbackOnly } from './plugins/loopback-guard.ts'
import { describeApi } from './plugins/openapi.ts'
import { answerProblems, notFoundHandler, sendProblem } from './plugins/problem-details.ts'
import { limitRate } from './plugins/rate-limit.ts'
import { describeActor } from './plugins/request-actor.ts'
import { echoRequestId, requestIdOf } from './plugins/request-id.ts'
import { observeRequests } from './plugins/request-metrics.ts'
import { setSecurityHeaders } from './plugins/security-headers.ts'
import { archiveRoutes } from './routes/archive.ts'
import { auditRoutes } from './routes/audit.ts'
import { chatRoutes } from './routes/chat/index.ts'
import { healthRoute } from './routes/health.ts'
import { ledgerRoutes } from './routes/ledger.ts'
import { metricsRoute } from './routes/metrics.ts'
import { pageRoutes } from './routes/page.ts'
import { readinessRoute } from './routes/readiness.ts'
import { statusRoute } from './routes/status.ts'
import { type App, useZod } from './schema.ts'
import type { Services } from './services.ts'

/**
 * The HTTP application: `await app.listen({ host: '127.0.0.1', port })` serves, `await app.close()` lets
 * requests under way finish. The order is what a request meets: its id and actor, the headers of every
 * answer, the guards, then the route.
 */
export function buildApp(services: Services, limits: HttpLimits = httpLimits): App {
  const app: App = Fastify({
    loggerInstance: services.log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIdOf,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    handlerTimeout: limits.handlerTimeoutMs,
    connectionTimeout: limits.connectionTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    http: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: limits.timeoutCheckMs,
    },
    forceCloseConnections: 'idle',
    // A request on a kept connection is answered with `connection: close` rather than refused.
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: sendProblem,
  })
  echoRequestId(app)
  describeActor(app, services.version)
  observeRequests(app, services.metrics)
  answerProblems(app)
  useZod(app)
  const notFound = notFoundHandler(app)
  app.setNotFoundHandler(notFound)
  setSecurityHeaders(app)
  app.after(() => serveLoopbackOnly(app))
  limitRate(app, limits)
  describeApi(app, services.version)
  app.register((open: App, _, done) => {
    healthRoute(open, services.version)
    readinessRoute(open, services, limits)
    metricsRoute(open, services.metrics)
    pageRoutes(open)
    done()
  })
  app.register(
    (v1: App, _, done) => {
      requireBootstrapKey(v1, services.bootstrapKey)
      v1.setNotFoundHandler(notFound)
      statusRoute(v1, services)
      auditRoutes(v1, services)
      ledgerRoutes(v1, services)
      archiveRoutes(v1, services)
      chatRoutes(v1, services)
      done()
    },
    { prefix: '/v1' },
  )
  return app
}
