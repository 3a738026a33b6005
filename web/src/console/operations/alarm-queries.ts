import type { Alarm, AlarmDefinition } from '@akashi/contract'
import { queryOptions } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import { currentLanguage } from '../../i18n/index.ts'
import type { Tone } from '../parts/tag.tsx'
import { live } from '../queries.ts'

export const alarmsQuery = queryOptions({
  queryKey: ['console', 'alarms', 'open'],
  queryFn: ({ signal }) => call('GET /v1/alarms', { signal }),
  ...live,
})

export const silencesQuery = queryOptions({
  queryKey: ['console', 'alarms', 'silences'],
  queryFn: ({ signal }) => call('GET /v1/alarms/silences', { signal }),
  ...live,
})

export const conditionsQuery = queryOptions({
  queryKey: ['console', 'alarms', 'conditions'],
  queryFn: ({ signal }) => call('GET /v1/alarms/conditions', { signal }),
  ...live,
})

/** `open` is not seen to by anybody. */
export const alarmStates = ['open', 'acknowledged', 'silenced', 'cleared'] as const
type AlarmState = (typeof alarmStates)[number]

export function stateOf({ clearedAt, silenced, acknowledgedAt }: Alarm): AlarmState {
  if (clearedAt !== null) return 'cleared'
  if (silenced) return 'silenced'
  return acknowledgedAt === null ? 'open' : 'acknowledged'
}

export const stateTones: Readonly<Record<AlarmState, Tone>> = {
  open: 'bad',
  acknowledged: 'info',
  silenced: 'plain',
  cleared: 'good',
}

/** The reader's words for a condition; its name where this server does not know it. */
export function titleOf(conditions: readonly AlarmDefinition[] | undefined, name: string): string {
  return conditions?.find((each) => each.name === name)?.title[currentLanguage()] ?? name
}
