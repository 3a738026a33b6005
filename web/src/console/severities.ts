import { type Severity, severities } from '@akashi/contract'
import type { Tone } from './parts/tag.tsx'

export const toneOf: Readonly<Record<Severity, Tone>> = {
  info: 'plain',
  low: 'info',
  medium: 'warn',
  high: 'bad',
  critical: 'bad',
}

export function severityNamed(name: unknown): Severity {
  return severities.find((severity) => severity === name) ?? 'info'
}
