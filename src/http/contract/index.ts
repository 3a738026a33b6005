/** The shapes that clients of the HTTP interface are typed by. They import zod and nothing else. */
export * from './access.ts'
export * from './me.ts'
export * from './session.ts'
