/** The jobs of the workers, the age of keys, and people who fail to sign in. */

import { systemClock } from '../../foundation/index.ts'
import { accessReviewOwed, countFailedSignIns, keyAges } from '../../identity/index.ts'
import { listJobs } from '../schedule/index.ts'
import type { Found, Look } from './look.ts'

/** Days after which a key that is due for rotation and was not rotated is late. */
const KEY_GRACE_DAYS = 7
const DAY_MS = 86_400_000
/** Minutes in which failed sign-ins are counted. */
const SIGN_IN_MINUTES = 5
/** Jobs that fail to report something that has its own alarm. */
const TELL_BY_FAILING = new Set(['watch-ledger', 'audit-losses', 'partition-headroom', 'key-age'])

const jobs: Look = {
  conditions: ['job_failed', 'job_missed'],
  look: async ({ worker, actor, now }) =>
    (await listJobs(worker, actor, now)).flatMap(({ name, paused, owed, lastRun }): Found[] => {
      const failed = lastRun?.state === 'failed' && !TELL_BY_FAILING.has(name)
      return [
        ...(failed
          ? [
              {
                condition: 'job_failed' as const,
                subject: name,
                detail: `${name} failed at ${lastRun?.finishedAt}: ${lastRun?.message ?? 'no message'}`,
              },
            ]
          : []),
        ...(owed && !paused
          ? [
              {
                condition: 'job_missed' as const,
                subject: name,
                detail: `${name} is due, but no worker has started it`,
              },
            ]
          : []),
      ]
    }),
}

const keys: Look = {
  conditions: ['key_age'],
  look: async ({ worker, actor, keyring, now }) =>
    (await keyAges({ database: worker, keyring, clock: { ...systemClock, now: () => now }, actor })).flatMap(
      ({ purpose, keyId, ageDays, limitDays }): Found[] =>
        limitDays > 0 && ageDays > limitDays + KEY_GRACE_DAYS
          ? [
              {
                condition: 'key_age',
                subject: purpose,
                detail: `${keyId} is ${Math.floor(ageDays)} days old, the limit is ${limitDays}`,
                value: ageDays,
              },
            ]
          : [],
    ),
}

const signIns: Look = {
  conditions: ['login_failures'],
  look: async ({ worker, actor, settings }) => {
    const failed = await countFailedSignIns(worker, actor, SIGN_IN_MINUTES)
    if (failed <= settings.loginFailures) return []
    return [
      {
        condition: 'login_failures',
        detail: `${failed} sign-ins failed within ${SIGN_IN_MINUTES} minutes`,
        value: failed,
      },
    ]
  },
}

const accessReview: Look = {
  conditions: ['access_review_overdue'],
  look: async ({ worker, actor, now }) => {
    const { open, dueAt, lastAt, maxAgeDays } = await accessReviewOwed(worker, actor)
    if (dueAt !== null && Date.parse(dueAt) < now.getTime()) {
      return [
        {
          condition: 'access_review_overdue',
          detail: `${open} rights are not signed off; the review was due on ${dueAt.slice(0, 10)}`,
          value: open,
        },
      ]
    }
    const days = (now.getTime() - Date.parse(lastAt)) / DAY_MS
    if (days <= maxAgeDays) return []
    return [
      {
        condition: 'access_review_overdue',
        detail: `no review that was opened within the last ${Math.floor(days)} days has been completed`,
        value: days,
      },
    ]
  },
}

export const workLooks: readonly Look[] = [jobs, keys, signIns, accessReview]
