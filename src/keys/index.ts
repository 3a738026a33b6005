export type { KeyringOptions } from './file-keyring.ts'
export { openKeyring } from './open.ts'
export * from './signed-note.ts'
export * from './types.ts'
