/** What a process needs of the configuration. */
export interface Settings {
  /** Akashi's data folder. */
  readonly data: string
  readonly databaseUrl?: string | undefined
  readonly databaseDirectUrl?: string | undefined
}
