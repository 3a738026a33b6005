export { openObjectStore, sweepObjectStore } from './open.ts'
export * from './types.ts'
