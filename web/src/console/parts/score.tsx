import type { ReactNode } from 'react'
import classes from './score.module.css'

export const FULL_SCORE = 100
/** Points from which it looks good, or at least fair. */
const GOOD = 90
const FAIR = 70

interface ScoreProps {
  readonly label: string
  readonly score: number
  /** What it means, in words, below the bar. */
  readonly children?: ReactNode
}

/** A score of 100 as a number and a bar. */
export function Score({ label, score, children }: ScoreProps) {
  const tone = score >= GOOD ? 'good' : score >= FAIR ? 'warn' : 'bad'
  return (
    <div className={classes['score']}>
      <div className={classes['number']} data-tone={tone}>
        {score}
        <span className={classes['of']}>/ {FULL_SCORE}</span>
      </div>
      <div className={classes['bar']}>
        <meter
          className={classes['meter'] ?? ''}
          data-tone={tone}
          aria-label={label}
          min={0}
          max={FULL_SCORE}
          value={score}
        />
        {children !== undefined && <div>{children}</div>}
      </div>
    </div>
  )
}
