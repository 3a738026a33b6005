import type { Settings } from '../settings.ts'

export type TraceSettings = Pick<
  Settings,
  'appName' | 'appVersion' | 'appEnvironment' | 'otlpEndpoint' | 'otlpHeaders' | 'tracesRatio'
>
