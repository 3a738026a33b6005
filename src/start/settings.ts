import type { Config } from '../foundation/index.ts'

/** What a process needs of the configuration. */
export type Settings = Config
