/**
 * Preloaded into Node.js by scripts/simulate.ts: PostgreSQL, which is started with an environment of its own, gets
 * the same clock.
 */
import childProcess, { type SpawnOptions } from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'

const clock = Object.fromEntries(['LD_PRELOAD', 'FAKE_CLOCK'].map((name) => [name, process.env[name]]))

const { spawn } = childProcess
childProcess.spawn = ((file: string, args: readonly string[], options: SpawnOptions = {}) =>
  spawn(file, args, { ...options, env: { ...(options.env ?? process.env), ...clock } })) as typeof spawn
syncBuiltinESMExports()
