import { type Logger, traceWith } from '../../foundation/index.ts'
import type { TraceSettings } from './settings.ts'

export interface Traces {
  /** Delivers what is still here, in bounded time. */
  stop(): Promise<void>
}

/** Traces this process where a collector is configured; else loads nothing. @throws invalid_config */
export async function startTraces(settings: TraceSettings, log: Logger): Promise<Traces> {
  const { otlpEndpoint } = settings
  if (otlpEndpoint === undefined) return { stop: async () => undefined }
  const { openOtlp } = await import('./otlp.ts')
  const { tracer, stop } = openOtlp({ ...settings, endpoint: otlpEndpoint }, log)
  traceWith(tracer)
  return {
    stop: async () => {
      traceWith(undefined)
      await stop()
    },
  }
}
