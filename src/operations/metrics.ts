import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { ThreadState } from './thread-state.ts'

/** Metrics of this process and of the thread; what the database knows is read when somebody scrapes. */
export function openMetrics(state: () => Promise<ThreadState>): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const sealed = new Gauge({
    name: 'akashi_ledger_entries',
    help: 'entries sealed',
    labelNames: ['log'],
    registers,
  })
  const pending = new Gauge({
    name: 'akashi_ledger_pending_rows',
    help: 'committed rows that wait to be sealed',
    labelNames: ['log'],
    registers,
  })
  const covered = new Gauge({
    name: 'akashi_partition_covered_until_seconds',
    help: 'end of the last partition made ahead, as a UNIX time',
    labelNames: ['table'],
    registers,
  })
  const verified = new Gauge({
    name: 'akashi_ledger_last_verification_seconds',
    help: 'UNIX time of the last verification',
    registers,
  })
  new Gauge({
    name: 'akashi_ledger_last_verification_problems',
    help: 'problems that the last verification found',
    registers,
    async collect() {
      const { logs, partitions, lastVerification } = await state()
      for (const log of logs) {
        sealed.set({ log: log.log }, Number(log.size))
        pending.set({ log: log.log }, log.pending)
      }
      for (const { table, coveredUntil } of partitions) {
        covered.set({ table }, coveredUntil === null ? 0 : Date.parse(coveredUntil) / 1000)
      }
      if (lastVerification !== null) {
        verified.set(Date.parse(lastVerification.at) / 1000)
        this.set(lastVerification.problems)
      }
    },
  })
  return registry
}
