import type { Tone } from './parts/tag.tsx'

/** How the state of a run looks. */
export const runTones: Readonly<Record<'running' | 'done' | 'failed' | 'cancelled', Tone>> = {
  running: 'info',
  done: 'good',
  failed: 'bad',
  cancelled: 'plain',
}
