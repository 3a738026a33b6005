import type { SingleBar } from 'cli-progress'

/** The progress of a long operation. */
export interface Progress {
  /** Done so far, in the unit of `total`. */
  update(done: number): void
  /** Removes the bar; idempotent. */
  stop(): void
}

const REDRAWS_PER_SECOND = 5

/** A bar on standard error, or a count if `total` is unknown (0); nothing unless it is a terminal. */
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
