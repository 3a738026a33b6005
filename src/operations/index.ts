export { type Loop, type LoopContext, type LoopOptions, runLoop } from './loops.ts'
export type { Logger } from './log.ts'
export * from './schedule/index.ts'
export { lifecycleTasks } from './tasks.ts'
