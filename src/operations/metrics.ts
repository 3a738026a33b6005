import type { SystemStatus } from '@akashi/contract'
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { App } from '../foundation/index.ts'
import { conditionNames, conditionOf } from './alarms/index.ts'

/** Milliseconds for which all gauges of a scrape share one read of the database. */
const READING_SHARED_MS = 500

/** Metrics of this process and of the database, which is read on each scrape. */
export function openMetrics(app: App, readState: () => Promise<SystemStatus>): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const info = new Gauge({
    name: 'akashi_app_info',
    help: 'always 1; the labels describe the application',
    labelNames: ['name', 'version', 'tier', 'environment'],
    registers: [registry],
  })
  info.set({ ...app }, 1)
  let reading: Promise<SystemStatus> | undefined
  let readAt = Number.NEGATIVE_INFINITY
  const state = () => {
    const now = performance.now()
    if (reading === undefined || now - readAt > READING_SHARED_MS) {
      reading = readState()
      readAt = now
    }
    return reading
  }
  const gauge = (
    name: string,
    help: string,
    labelNames: string[],
    set: (gauge: Gauge, state: SystemStatus) => void,
  ) =>
    new Gauge({
      name: `akashi_${name}`,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        this.reset()
        set(this, await state())
      },
    })
  gauge('ledger_entries', 'entries sealed', ['log'], (own, { logs }) => {
    for (const { log, size } of logs) own.set({ log }, Number(size))
  })
  gauge('ledger_pending_rows', 'committed rows not sealed yet', ['log'], (own, { logs }) => {
    for (const { log, pending } of logs) own.set({ log }, pending)
  })
  gauge('ledger_sealed_seconds', 'Unix time at which the last entry was sealed', ['log'], (own, { logs }) => {
    for (const { log, sealedAt } of logs) if (sealedAt !== null) own.set({ log }, Date.parse(sealedAt) / 1000)
  })
  gauge('verification_seconds', 'Unix time of the last verification', [], (own, { lastVerification }) => {
    if (lastVerification !== null) own.set(Date.parse(lastVerification.at) / 1000)
  })
  gauge(
    'verification_problems',
    'problems found by the last verification',
    [],
    (own, { lastVerification }) => {
      if (lastVerification !== null) own.set(lastVerification.problems)
    },
  )
  gauge(
    'verify_oldest_unchecked_seconds',
    'seconds since the least recently verified part of the ledger was verified',
    [],
    (own, { oldestUncheckedSeconds }) => own.set(oldestUncheckedSeconds),
  )
  gauge(
    'ledger_frontier_held_seconds',
    'seconds for which an open transaction has kept rows from being sealed',
    [],
    (own, { frontierHeldSeconds }) => own.set(frontierHeldSeconds),
  )
  gauge(
    'leader_locks_held',
    'sessions of other logins that hold a leader lock',
    [],
    (own, { leaderLocksHeld }) => own.set(leaderLocksHeld),
  )
  gauge(
    'witness_conflicts',
    'trusted witnesses that cosigned a different history, by log',
    [],
    (own, { witnessConflicts }) => own.set(witnessConflicts),
  )
  gauge(
    'retention_shortenings',
    'shorter retentions of logs that were requested and are not in effect yet',
    [],
    (own, { retentionShortenings }) => own.set(retentionShortenings),
  )
  gauge(
    'object_store_owned',
    '0 when another installation owns the object store: nothing is backed up or archived from here',
    [],
    (own, { ownsObjectStore }) => own.set(ownsObjectStore ? 1 : 0),
  )
  gauge('backup_kept_wal_bytes', 'WAL that waits for the object store', [], (own, { backups }) => {
    if (backups.keptWalBytes !== null) own.set(backups.keptWalBytes)
  })
  gauge('backup_streaming', '1 while WAL is streamed into the object store', [], (own, { backups }) =>
    own.set(backups.streaming ? 1 : 0),
  )
  gauge(
    'backup_slot_state',
    '1 for the state of the replication slot; unreserved: moments are about to be lost; lost: they are lost',
    ['state'],
    (own, { backups }) => own.set({ state: backups.slotState }, 1),
  )
  gauge(
    'backup_lag_seconds',
    'seconds since the latest moment that can be restored, as of the last check of the object store',
    [],
    (own, { backups }) => {
      if (backups.lagSeconds !== null) own.set(backups.lagSeconds)
    },
  )
  gauge('disk_free_bytes', 'free on the disk of the embedded server', [], (own, { disk }) => {
    if (disk !== null) own.set(disk.freeBytes)
  })
  gauge('disk_bytes', 'size of the disk of the embedded server', [], (own, { disk }) => {
    if (disk !== null) own.set(disk.totalBytes)
  })
  gauge('backup_age_seconds', 'seconds since the newest backup', [], (own, { backups }) => {
    if (backups.ageSeconds !== null) own.set(backups.ageSeconds)
  })
  gauge('ledger_epoch', 'epoch of the log; increases after a restore', ['log'], (own, { logs }) => {
    for (const { log, epoch } of logs) own.set({ log }, epoch)
  })
  gauge(
    'crosscheck_running',
    '1 while the write-ahead log is compared with the trail',
    [],
    (own, { crosscheck }) => own.set(crosscheck.state === 'running' ? 1 : 0),
  )
  gauge(
    'crosscheck_lag_bytes',
    'WAL that is written but not yet compared with the trail',
    [],
    (own, { crosscheck }) => {
      if (crosscheck.lagBytes !== null) own.set(crosscheck.lagBytes)
    },
  )
  gauge(
    'crosscheck_discrepancies',
    'unsettled discrepancies between the trail, the tables and the write-ahead log',
    [],
    (own, { crosscheck }) => own.set(crosscheck.discrepancies),
  )
  gauge(
    'crosscheck_gaps',
    'unsettled ranges of the write-ahead log that were not compared',
    [],
    (own, { crosscheck }) => own.set(crosscheck.gaps),
  )
  gauge('detection_findings', 'findings that are open or in progress', ['severity'], (own, { detection }) => {
    for (const { severity, findings } of detection.open) own.set({ severity }, findings)
  })
  gauge('detection_findings_overdue', 'open findings past their due date', [], (own, { detection }) =>
    own.set(detection.overdue),
  )
  gauge(
    'detection_unseen_rows',
    'sealed rows after the last one that the worker has recorded as evaluated, which it does each minute',
    ['log'],
    (own, { detection }) => {
      for (const { log, rows } of detection.unseen) own.set({ log }, rows)
    },
  )
  gauge(
    'audit_losses',
    'statements whose changes were not recorded and are not settled',
    [],
    (own, { losses }) => own.set(losses),
  )
  gauge('drill_passed_seconds', 'seconds since a recovery drill passed', [], (own, { drills }) =>
    own.set(drills.passedSeconds),
  )
  gauge(
    'drill_alarm',
    '1 when the last recovery drill failed or none passed for too long',
    [],
    (own, { drills }) => own.set(drills.alarm ? 1 : 0),
  )
  gauge(
    'partition_covered_until_seconds',
    'Unix time up to which partitions exist',
    ['table'],
    (own, { partitions }) => {
      for (const { table, coveredUntil } of partitions) {
        if (coveredUntil !== null) own.set({ table }, Date.parse(coveredUntil) / 1000)
      }
    },
  )
  gauge(
    'partition_alarm',
    '1 when a table is about to run out of partitions',
    ['table'],
    (own, { partitions }) => {
      for (const { table, alarm } of partitions) own.set({ table }, alarm ? 1 : 0)
    },
  )
  gauge('alarm', 'alarms that are open and not silenced', ['name', 'severity'], (own, { alarms }) => {
    for (const name of conditionNames) own.set({ name, severity: conditionOf(name).severity }, 0)
    for (const { condition, severity, silenced } of alarms) {
      if (!silenced) own.inc({ name: condition, severity })
    }
  })
  gauge(
    'alarms_looked_at_seconds',
    'Unix time at which a worker last checked the conditions of alarms',
    [],
    (own, { alarmsLookedAt }) => {
      if (alarmsLookedAt !== null) own.set(Date.parse(alarmsLookedAt) / 1000)
    },
  )
  return registry
}
