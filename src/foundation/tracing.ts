/**
 * Spans of what this process does, for a collector of traces. Without one, nothing is made and nothing is loaded: a span
 * is undefined and work runs as if it were not here.
 *
 * Names and attributes hold names of routes, jobs and tables, and numbers; never a value, a person or a secret.
 */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

export interface SpanOptions {
  readonly attributes?: SpanAttributes
  readonly kind?: 'server' | 'client' | 'internal'
  /** W3C `traceparent` of whoever asked for the work. */
  readonly traceparent?: string | undefined
  /** Milliseconds since 1970, for work that turned out to be worth a span only afterwards. */
  readonly startedAt?: number
}

export interface Span {
  /** 32 hexadecimal digits, as the audit trail records them. */
  readonly traceId: string
  set(attributes: SpanAttributes): void
  /** Runs the work with this span as the parent of the spans that it starts. */
  run<T>(work: () => T): T
  /** Nothing is exported of a span that does not end. */
  end(error?: unknown): void
}

export interface Tracer {
  start(name: string, options: SpanOptions): Span
  /** The span whose work calls. */
  active(): Span | undefined
}

let tracer: Tracer | undefined

/** Has every span go to this tracer; undefined: none is made any more. */
export function traceWith(chosen: Tracer | undefined): void {
  tracer = chosen
}

export function startSpan(name: string, options: SpanOptions = {}): Span | undefined {
  return tracer?.start(name, options)
}

/** Runs the work in a span of its own. */
export function traced<T>(name: string, attributes: SpanAttributes, work: () => Promise<T>): Promise<T> {
  return within(startSpan(name, { attributes }), work)
}

/** The same where the work is part of something that is traced; loops that look for work are not. */
export function tracedPart<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  return within(tracer?.active() === undefined ? undefined : startSpan(name, options), work)
}

async function within<T>(span: Span | undefined, work: () => Promise<T>): Promise<T> {
  if (span === undefined) return await work()
  try {
    const result = await span.run(work)
    span.end()
    return result
  } catch (error) {
    span.end(error)
    throw error
  }
}
