export { nextTime, previousTime, type Schedule } from './cron.ts'
export {
  type Job,
  type JobRun,
  jobHistory,
  listJobs,
  pauseJob,
  pruneJobRuns,
  type RunState,
  runNow,
} from './jobs.ts'
export type { Task, TaskContext } from './task.ts'
export { startWorker, type Worker, type WorkerOptions } from './worker.ts'
