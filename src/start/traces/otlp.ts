/** The SDK of OpenTelemetry, which delivers spans by OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/). */
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Span as OtelSpan,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { AkashiError, type Logger, type Span, type SpanOptions, type Tracer } from '../../foundation/index.ts'
import type { TraceSettings } from './settings.ts'

/** Milliseconds for the delivery of what is left when the process ends. */
const STOP_MS = 5_000
/** Milliseconds between two lines of the log about a collector that takes nothing. */
const REPORT_MS = 300_000

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const

/**
 * Timeouts, compression and certificates of the exporter, the service's name and attributes of the resource come from
 * the standard variables OTEL_….
 */
export function openOtlp(
  settings: TraceSettings & { readonly endpoint: string },
  log: Logger,
): { readonly tracer: Tracer; stop(): Promise<void> } {
  const exporter = new OTLPTraceExporter({
    url: `${settings.endpoint.replace(/\/$/, '')}/v1/traces`,
    headers: headersOf(settings.otlpHeaders?.reveal()),
  })
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(
        resourceFromAttributes({
          'service.name': settings.appName,
          'service.version': settings.appVersion,
          'deployment.environment.name': settings.appEnvironment,
        }),
      )
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(settings.tracesRatio) }),
    spanProcessors: [new BatchSpanProcessor({ exporter: reporting(exporter, log) })],
  })
  return {
    tracer: tracerOf(provider),
    stop: async () => {
      const given = new AbortController()
      await Promise.race([
        provider.shutdown().catch(() => undefined),
        sleep(STOP_MS, undefined, { signal: given.signal }).catch(() => undefined),
      ])
      given.abort()
    },
  }
}

function tracerOf(provider: TracerProvider): Tracer {
  const made = provider.getTracer('akashi')
  const current = new AsyncLocalStorage<{ readonly span: Span; readonly context: SpanContext }>()
  return {
    active: () => current.getStore()?.span,
    start: (name, { attributes = {}, kind = 'internal', traceparent, startedAt }: SpanOptions) => {
      const parent = remoteParent(traceparent) ?? current.getStore()?.context
      const otel = made.startSpan(
        name,
        { attributes, kind: kinds[kind], ...(startedAt === undefined ? {} : { startTime: startedAt }) },
        parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent),
      )
      const context = otel.spanContext()
      const span: Span = {
        traceId: context.traceId,
        set: (more) => {
          otel.setAttributes(more)
        },
        run: (work) => current.run({ span, context }, work),
        end: (error) => {
          if (error !== undefined) fail(otel, error)
          otel.end()
        },
      }
      return span
    },
  }
}

/** The kind of an error alone: its message may quote what somebody wrote. */
function fail(span: OtelSpan, error: unknown): void {
  const code =
    error instanceof AkashiError ? error.code : error instanceof Error ? error.name : 'not an error'
  span.setAttribute('error.type', code)
  span.setStatus({ code: SpanStatusCode.ERROR, message: code })
}

/** https://www.w3.org/TR/trace-context/ */
const traceparentPattern =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/

function remoteParent(traceparent: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = traceparentPattern.exec(traceparent ?? '') ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true }
}

/** `name=value` pairs separated by commas, the values percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS has them. */
export function headersOf(text: string | undefined): Record<string, string> {
  const pairs = (text ?? '').split(',').filter((pair) => pair.trim() !== '')
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name = '', ...rest] = pair.split('=')
      try {
        if (name.trim() === '' || rest.length === 0) throw new Error('no pair')
        return [name.trim(), decodeURIComponent(rest.join('=').trim())]
      } catch {
        throw new AkashiError('invalid_config', 'OTEL_EXPORTER_OTLP_HEADERS is not a list of name=value', {
          hint: 'separate pairs with commas and percent-encode the values: authorization=Bearer%20TOKEN',
        })
      }
    }),
  )
}

/** Says in the log that the collector takes nothing, and when it does again. */
function reporting(exporter: SpanExporter, log: Logger): SpanExporter {
  let reportedAt = Number.NEGATIVE_INFINITY
  let away = false
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error === undefined) {
          if (away) log.info('the collector takes traces again')
          away = false
          reportedAt = Number.NEGATIVE_INFINITY
        } else {
          away = true
          if (performance.now() - reportedAt > REPORT_MS) {
            reportedAt = performance.now()
            log.warn({ reason: result.error.name }, 'the collector takes no traces; spans are lost')
          }
        }
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => await exporter.forceFlush?.(),
  }
}
