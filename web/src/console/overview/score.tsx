import { IconArrowRight } from '@tabler/icons-react'
import { Link } from 'react-router'
import { useTexts } from '../locales/index.ts'
import { Score } from '../parts/score.tsx'
import { Panel } from '../parts/screen.tsx'
import { Empty, Placeholder } from '../parts/state.tsx'
import classes from './deductions.module.css'
import { deductionsOf, scoreOf } from './deductions.ts'
import type { Facts } from './facts.ts'

/** One number for the whole state; each deduction links to its fix. */
export function ScorePanel({ facts }: { readonly facts: Facts }) {
  const t = useTexts()
  const isRead = Object.values(facts).some((fact) => fact !== undefined)
  const deductions = deductionsOf(t, facts)
  const score = scoreOf(deductions)
  return (
    <Panel title={t('overview.score')} lead={t('overview.scoreLead')} flush>
      {isRead ? <Score label={t('overview.score')} score={score} /> : <Placeholder rows={3} />}
      {isRead && deductions.length === 0 && (
        <Empty title={t('overview.nothingOwed')} detail={t('overview.nothingOwedDetail')} />
      )}
      <ul className={classes['list']}>
        {deductions.map(({ key, points, text, fix }) => (
          <li key={key}>
            <Link to={fix} className={classes['deduction'] ?? ''}>
              <span className={classes['points']}>−{points}</span>
              <span className={classes['text']}>{text}</span>
              <IconArrowRight size={16} aria-hidden />
            </Link>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
