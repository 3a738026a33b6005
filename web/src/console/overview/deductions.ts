import type { ConsoleTexts } from '../locales/index.ts'
import { FULL_SCORE } from '../parts/score.tsx'
import type { Facts } from './facts.ts'

/** Something that costs points, and where it is fixed. */
export interface Deduction {
  readonly key: string
  readonly points: number
  readonly text: string
  /** Path of a screen. */
  readonly fix: string
}

const DAY_S = 86_400
/** Seconds after which a verification or a backup counts as old. */
const OLD_VERIFICATION_S = 2 * DAY_S
const OLD_BACKUP_S = 2 * DAY_S

/** What lowers the score, worst first. */
export function deductionsOf(t: ConsoleTexts, facts: Facts, now = Date.now()): readonly Deduction[] {
  const found = [
    ...ofRecord(t, facts, now),
    ...ofRecovery(t, facts),
    ...ofAttacks(t, facts),
    ...ofDuties(t, facts),
  ]
  return found.filter((each) => each !== null).sort((one, other) => other.points - one.points)
}

type Found = readonly (Deduction | null)[]

function when(condition: boolean, key: string, points: number, text: string, fix: string): Deduction | null {
  return condition ? { key, points, text, fix } : null
}

function ofRecord(t: ConsoleTexts, { status }: Facts, now: number): Found {
  if (status === undefined) return []
  const { lastVerification: last, crosscheck, losses, witnessConflicts } = status
  const age = last === null ? 0 : (now - Date.parse(last.at)) / 1_000
  const { discrepancies, gaps } = crosscheck
  const to = '/console/proofs'
  return [
    when(last?.ok === false, 'broken', 60, t('overview.deduct.broken'), to),
    when(witnessConflicts > 0, 'witness', 60, t('overview.deduct.witness'), to),
    when(last === null, 'unverified', 20, t('overview.deduct.unverified'), to),
    when(age > OLD_VERIFICATION_S, 'oldVerification', 10, t('overview.deduct.oldVerification'), to),
    when(
      discrepancies > 0,
      'discrepancies',
      25,
      t('overview.deduct.discrepancies', { count: discrepancies }),
      '/console/operations',
    ),
    when(gaps > 0, 'gaps', 5, t('overview.deduct.gaps', { count: gaps }), '/console/operations'),
    when(
      crosscheck.state === 'stopped',
      'crosscheck',
      10,
      t('overview.deduct.crosscheck'),
      '/console/operations',
    ),
    when(losses > 0, 'losses', 25, t('overview.deduct.losses', { count: losses }), '/console/operations'),
  ]
}

function ofRecovery(t: ConsoleTexts, { status, backups, drills }: Facts): Found {
  const to = '/console/backups'
  const drill = drills?.[0]
  return [
    when(backups?.backups.length === 0, 'noBackup', 30, t('overview.deduct.noBackup'), to),
    when(
      (status?.backups.ageSeconds ?? 0) > OLD_BACKUP_S,
      'oldBackup',
      15,
      t('overview.deduct.oldBackup'),
      to,
    ),
    when(status?.backups.streaming === false, 'stream', 15, t('overview.deduct.stream'), to),
    when((backups?.problems.length ?? 0) > 0, 'damaged', 20, t('overview.deduct.damaged'), to),
    when(drills?.length === 0, 'noDrill', 10, t('overview.deduct.noDrill'), to),
    when(drill?.ok === false, 'drillFailed', 25, t('overview.deduct.drillFailed'), to),
  ]
}

function ofAttacks(t: ConsoleTexts, { open }: Facts): Found {
  if (open === undefined) return []
  const { critical, high } = open
  return [
    when(
      critical > 0,
      'critical',
      20,
      t('overview.deduct.critical', { count: critical }),
      '/console/events?severity=critical&status=open',
    ),
    when(
      high > 0,
      'high',
      8,
      t('overview.deduct.high', { count: high }),
      '/console/events?severity=high&status=open',
    ),
  ]
}

function ofDuties(t: ConsoleTexts, { status, jobs, approvals }: Facts): Found {
  const failed = jobs?.filter(({ lastRun }) => lastRun?.state === 'failed').length ?? 0
  const short = status?.partitions.filter(({ alarm }) => alarm).length ?? 0
  const waiting = approvals?.filter(({ state }) => state === 'waiting').length ?? 0
  return [
    when(
      failed > 0,
      'jobs',
      10,
      t('overview.deduct.jobs', { count: failed }),
      '/console/operations/jobs?state=failed',
    ),
    when(
      short > 0,
      'partitions',
      10,
      t('overview.deduct.partitions', { count: short }),
      '/console/lifecycle',
    ),
    when(
      waiting > 0,
      'approvals',
      3,
      t('overview.deduct.approvals', { count: waiting }),
      '/console/access/approvals',
    ),
  ]
}

export function scoreOf(deductions: readonly Deduction[]): number {
  return Math.max(
    0,
    deductions.reduce((score, { points }) => score - points, FULL_SCORE),
  )
}
