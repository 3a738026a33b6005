import type { SingleBar } from 'cli-progress'

/** How far long work is. */
export interface Progress {
  /** Done so far, in the unit of `total`. */
  update(done: number): void
  /** Takes the bar away; idempotent. */
  stop(): void
}

const REDRAWS_PER_SECOND = 5

/** A bar on standard error where someone watches, a count where the total is not known (0), nothing elsewhere. */
export async function startProgress(watched: boolean, label: string, total: number): Promise<Progress> {
  if (!watched) return { update: () => undefined, stop: () => undefined }
  const { default: progress } = await import('cli-progress')
  const bar: SingleBar = new progress.SingleBar({
    format: total === 0 ? `${label} {value}` : `${label} {bar} {percentage} % · {eta_formatted} left`,
    stream: process.stderr,
    fps: REDRAWS_PER_SECOND,
    clearOnComplete: true,
    hideCursor: true,
  })
  bar.start(total, 0)
  return { update: (done) => bar.update(done), stop: () => bar.stop() }
}
