/** The trail, the ledger, and those who attest and verify them. */
import {
  crosscheckStatus,
  describeHolder,
  frontierHolders,
  lastVerification,
  listGaps,
  oldestUncheckedSeconds,
  standingAlarms,
  unsettledLosses,
  witnessStates,
} from '../../audit/index.ts'
import {
  describeShortening,
  partitionStatus,
  pendingShortenings,
  planArchive,
} from '../../lifecycle/index.ts'
import { describeLeaderLock, leaderLockHolders } from '../leader-locks.ts'
import { listJobs } from '../schedule/index.ts'
import type { Found, Look } from './look.ts'

const MINUTE_MS = 60_000
const MINUTE_S = 60
const HOUR_MS = 3_600_000
const DAY_S = 86_400
const DAY_MS = 86_400_000

const standing: Look = {
  conditions: ['ledger_watch', 'seal_lag', 'witness_conflict', 'frontier_held', 'leader_lock'],
  look: async ({ worker, actor, settings }) => {
    const alarms = await standingAlarms(worker, actor, [
      'audit_trigger_disabled',
      'audit_catalog_changed',
      'ledger_not_sealed',
      'witness_conflict',
    ])
    const conditionOf = (kind: string) =>
      kind === 'ledger_not_sealed' ? 'seal_lag' : kind === 'witness_conflict' ? kind : 'ledger_watch'
    const holders = (await frontierHolders(worker, actor)).filter(
      ({ ageSeconds }) => (ageSeconds ?? 0) >= settings.frontierSeconds,
    )
    return [
      ...alarms.map(
        ({ kind, subject, detail }): Found => ({
          condition: conditionOf(kind),
          subject,
          detail: `${subject}: ${detail}`,
        }),
      ),
      ...holders.map(
        (holder): Found => ({
          condition: 'frontier_held',
          subject: holder.pid === null ? `prepared ${holder.prepared}` : `process ${holder.pid}`,
          detail: describeHolder(holder),
          value: holder.ageSeconds ?? 0,
        }),
      ),
      ...(await leaderLockHolders(worker, actor)).map(
        (holder): Found => ({
          condition: 'leader_lock',
          subject: `${holder.loop} ${holder.login}`,
          detail: describeLeaderLock(holder),
        }),
      ),
    ]
  },
}

const published: Look = {
  conditions: ['checkpoint_not_published', 'verification_failed', 'verification_overdue', 'oldest_unchecked'],
  look: async ({ worker, actor, settings, now }) => {
    const { rows } = await worker.transaction(
      actor,
      (session) =>
        session.query<{ publishedAt: string; since: string }>(
          `select coalesce((select max(finished_at) from akashi_lifecycle.job_runs where job = 'publish-checkpoints' and state = 'done'),
                    j.created_at) as "publishedAt", v.created_at as since
           from akashi_lifecycle.jobs j, akashi_lifecycle.jobs v
           where j.name = 'publish-checkpoints' and v.name = 'verify-incremental'`,
        ),
      { readOnly: true },
    )
    const found: Found[] = []
    const [row] = rows
    if (row !== undefined) {
      const minutes = (now.getTime() - Date.parse(row.publishedAt)) / MINUTE_MS
      if (minutes > settings.publishMinutes) {
        found.push({
          condition: 'checkpoint_not_published',
          detail: `no checkpoint has been published since ${row.publishedAt}`,
          value: minutes,
        })
      }
    }
    const verified = await lastVerification(worker, actor)
    if (verified?.ok === false) {
      found.push({
        condition: 'verification_failed',
        detail: `${verified.problems} problems were found, last verified ${verified.at}`,
        value: verified.problems,
      })
    }
    const verifiedAt = verified?.at ?? row?.since
    if (verifiedAt !== undefined) {
      const hours = (now.getTime() - Date.parse(verifiedAt)) / HOUR_MS
      if (hours > settings.verificationHours) {
        found.push({
          condition: 'verification_overdue',
          detail:
            verified === null
              ? `no verification has been completed in ${Math.floor(hours)} hours`
              : `the last verification was completed ${verified.at}`,
          value: hours,
        })
      }
    }
    const unchecked = await oldestUncheckedSeconds(worker, actor)
    if (unchecked > settings.uncheckedDays * DAY_S) {
      found.push({
        condition: 'oldest_unchecked',
        detail: `part of the ledger was last checked ${Math.floor(unchecked / DAY_S)} days ago`,
        value: unchecked,
      })
    }
    return found
  },
}

const witnesses: Look = {
  conditions: ['witness_silent'],
  look: async ({ worker, actor, settings, now }) =>
    (await witnessStates(worker, actor)).flatMap(({ name, logs }): Found[] => {
      const behind = logs.filter(({ size, cosignedSize }) => size !== '0' && cosignedSize !== size)
      const never = behind.some(({ cosignedAt }) => cosignedAt === null)
      const oldest = Math.min(...behind.map(({ cosignedAt }) => Date.parse(cosignedAt ?? '')))
      const minutes = (now.getTime() - oldest) / MINUTE_MS
      if (behind.length === 0 || (!never && minutes <= settings.witnessMinutes)) return []
      const names = behind.map(({ log }) => log).join(', ')
      return [
        {
          condition: 'witness_silent',
          subject: name,
          detail: `the witness ${name} has not cosigned ${names} ${never ? 'yet' : `for ${Math.floor(minutes)} minutes`}`,
          ...(never ? { seconds: settings.witnessMinutes * MINUTE_S } : {}),
        },
      ]
    }),
}

/** Milliseconds after which the cross-check stands still: it keeps its position every minute, also while nothing is written. */
const STALE_MS = 600_000

const compared: Look = {
  conditions: ['crosscheck_discrepancy', 'crosscheck_gap', 'crosscheck_stopped', 'losses'],
  look: async ({ worker, actor, now }) => {
    const { state, comparedAt, discrepancies, gaps } = await crosscheckStatus(worker, actor)
    const found: Found[] = []
    if (discrepancies > 0) {
      found.push({
        condition: 'crosscheck_discrepancy',
        detail: `${discrepancies} discrepancies are not settled`,
        value: discrepancies,
      })
    }
    // Where nothing can be compared at all, doctor says so; it is no news every day.
    const ended = gaps === 0 ? [] : (await listGaps(worker, actor, { limit: gaps })).filter(isNews)
    if (ended.length > 0) {
      found.push({
        condition: 'crosscheck_gap',
        detail: `${ended.length} ranges were not compared: ${ended[0]?.detail}`,
        value: ended.length,
      })
    }
    if (state === 'stopped') {
      found.push({
        condition: 'crosscheck_stopped',
        detail: 'no process reads the replication slot of the cross-check, and WAL is waiting for it',
      })
    } else if (
      state === 'running' &&
      comparedAt !== null &&
      now.getTime() - Date.parse(comparedAt) > STALE_MS
    ) {
      found.push({
        condition: 'crosscheck_stopped',
        detail: `the cross-check gets no further than it was at ${comparedAt}`,
      })
    }
    const losses = await unsettledLosses(worker, actor)
    found.push(
      ...losses.map(
        ({ table, operation, statements, message }): Found => ({
          condition: 'losses',
          subject: `${table} ${operation}`,
          detail: `${statements} ${operation} on ${table} were not recorded: ${message}`,
          value: statements,
        }),
      ),
    )
    return found
  },
}

function isNews({ cause }: { readonly cause: string }): boolean {
  return cause !== 'off' && cause !== 'no_logical_wal'
}

const kept: Look = {
  conditions: ['partition_headroom', 'archive_behind', 'retention_shortened'],
  look: async ({ worker, actor, settings, now, signal }) => {
    const short = (await partitionStatus(worker, actor, undefined, { signal })).filter(({ alarm }) => alarm)
    // A copy that only reads the store archives nothing.
    const jobs = await listJobs(worker, actor, now)
    const archives = jobs.some(({ name, paused }) => name === 'archive-export' && !paused)
    const late = archives
      ? (
          await planArchive(worker, actor, {
            only: 'export',
            asOf: new Date(now.getTime() - settings.archiveDays * DAY_MS),
            signal,
          })
        ).filter(({ action }) => action === 'export')
      : []
    return [
      ...short.map(
        ({ table, coveredUntil }): Found => ({
          condition: 'partition_headroom',
          subject: table,
          detail: `${table} has partitions until ${coveredUntil ?? 'before now'}`,
        }),
      ),
      ...(late.length === 0
        ? []
        : [
            {
              condition: 'archive_behind' as const,
              detail: `${late.length} partitions are not exported, first ${late[0]?.partition}`,
              value: late.length,
            },
          ]),
      ...(await pendingShortenings(worker, actor)).map(
        (shortening): Found => ({
          condition: 'retention_shortened',
          subject: shortening.table,
          detail: describeShortening(shortening),
        }),
      ),
    ]
  },
}

export const recordLooks: readonly Look[] = [standing, published, witnesses, compared, kept]
