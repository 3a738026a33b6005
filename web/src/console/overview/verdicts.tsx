import { IconAlertTriangle, IconCircleCheck, IconCircleDashed, IconCircleX } from '@tabler/icons-react'
import { Link } from 'react-router'
import { useMay } from '../../api/index.ts'
import { ago, moment } from '../../i18n/when.ts'
import { type ConsoleTexts, useTexts } from '../locales/index.ts'
import type { Facts } from './facts.ts'
import classes from './verdicts.module.css'

type Verdict = 'good' | 'warn' | 'bad' | 'unknown'

interface Judgement {
  readonly verdict: Verdict
  readonly answer: string
  readonly because: string
}

const icons = { good: IconCircleCheck, warn: IconAlertTriangle, bad: IconCircleX, unknown: IconCircleDashed }

/** The four main questions of a person in charge, each with its verdict. */
export function Verdicts({ facts }: { readonly facts: Facts }) {
  const t = useTexts()
  const may = useMay()
  const questions = [
    { key: 'proven', to: '/console/proofs', judge: proven, shown: may('ledger:read') },
    { key: 'recoverable', to: '/console/backups', judge: recoverable, shown: may('backup:read') },
    { key: 'attacked', to: '/console/events', judge: attacked, shown: may('events:read') },
    { key: 'owed', to: '/console/operations', judge: owed, shown: may('jobs:read') },
  ] as const
  return (
    <ul className={classes['verdicts']}>
      {questions
        .filter(({ shown }) => shown)
        .map(({ key, to, judge }) => {
          const { verdict, answer, because } = judge(t, facts)
          const Icon = icons[verdict]
          return (
            <li key={key}>
              <Link to={to} className={classes['card'] ?? ''} data-verdict={verdict}>
                <span className={classes['question']}>{t(`overview.question.${key}`)}</span>
                <span className={classes['answer']}>
                  <Icon size={22} aria-hidden />
                  {answer}
                </span>
                <span className={classes['because']}>{because}</span>
              </Link>
            </li>
          )
        })}
    </ul>
  )
}

const unknown = (t: ConsoleTexts): Judgement => ({
  verdict: 'unknown',
  answer: t('overview.unknown'),
  because: t('overview.reading'),
})

function proven(t: ConsoleTexts, { status }: Facts): Judgement {
  if (status === undefined) return unknown(t)
  const { lastVerification: last, crosscheck, witnessConflicts } = status
  if (last === null) {
    return { verdict: 'warn', answer: t('overview.proven.never'), because: t('overview.proven.neverWhy') }
  }
  if (!last.ok || witnessConflicts > 0) {
    const because =
      witnessConflicts > 0
        ? t('overview.proven.witness', { count: witnessConflicts })
        : t('overview.proven.brokenWhy', { count: last.problems, when: ago(last.at) })
    return { verdict: 'bad', answer: t('overview.proven.broken'), because }
  }
  if (crosscheck.discrepancies > 0) {
    return {
      verdict: 'warn',
      answer: t('overview.proven.differs'),
      because: t('overview.deduct.discrepancies', { count: crosscheck.discrepancies }),
    }
  }
  return {
    verdict: 'good',
    answer: t('overview.proven.yes'),
    because: t('overview.proven.yesWhy', { when: ago(last.at) }),
  }
}

function recoverable(t: ConsoleTexts, { backups, drills, status }: Facts): Judgement {
  if (backups === undefined || drills === undefined) return unknown(t)
  const { from, to } = backups.restorable
  if (backups.backups.length === 0 || from === null) {
    return { verdict: 'bad', answer: t('overview.recoverable.no'), because: t('overview.recoverable.noWhy') }
  }
  const window = t('overview.recoverable.window', { from: moment(from), to: moment(to ?? from) })
  const [drill] = drills
  if (drill?.ok === false) {
    return { verdict: 'bad', answer: t('overview.recoverable.failed'), because: window }
  }
  if (drill === undefined) {
    return { verdict: 'warn', answer: t('overview.recoverable.untested'), because: window }
  }
  if (status?.backups.streaming === false) {
    return { verdict: 'warn', answer: t('overview.recoverable.stopped'), because: window }
  }
  return { verdict: 'good', answer: t('overview.recoverable.yes'), because: window }
}

function attacked(t: ConsoleTexts, { open }: Facts): Judgement {
  if (open === undefined) return unknown(t)
  const { critical, high } = open
  if (critical > 0) {
    return {
      verdict: 'bad',
      answer: t('overview.attacked.yes'),
      because: t('overview.deduct.critical', { count: critical }),
    }
  }
  if (high > 0) {
    return {
      verdict: 'warn',
      answer: t('overview.attacked.maybe'),
      because: t('overview.deduct.high', { count: high }),
    }
  }
  return { verdict: 'good', answer: t('overview.attacked.no'), because: t('overview.attacked.noWhy') }
}

function owed(t: ConsoleTexts, { jobs, status, approvals }: Facts): Judgement {
  if (jobs === undefined) return unknown(t)
  const failed = jobs.filter(({ lastRun }) => lastRun?.state === 'failed')
  const short = status?.partitions.filter(({ alarm }) => alarm).length ?? 0
  if (failed.length > 0 || short > 0) {
    const because =
      failed.length > 0
        ? t('overview.deduct.jobs', { count: failed.length })
        : t('overview.deduct.partitions', { count: short })
    return { verdict: 'warn', answer: t('overview.owed.yes'), because }
  }
  const waiting = approvals?.filter(({ state }) => state === 'waiting').length ?? 0
  if (waiting > 0) {
    return {
      verdict: 'warn',
      answer: t('overview.owed.approvals'),
      because: t('overview.deduct.approvals', { count: waiting }),
    }
  }
  return {
    verdict: 'good',
    answer: t('overview.owed.no'),
    because: t('overview.owed.noWhy', { count: jobs.length }),
  }
}
