import type { Binaries } from './binaries.ts'

/** What {@link startEmbedded} needs. */
export interface EmbeddedOptions {
  /** Akashi's data folder; the cluster is in its folder `postgres`, or linked from there (see home.ts). */
  readonly dataDir: string
  /** TCP port on 127.0.0.1; 0 picks a free one. */
  readonly port: number
  /** The server of another major version, which the cluster is of; default the embedded one. */
  readonly binaries?: Binaries
  /** PostgreSQL settings on top of Akashi's own, for tests: `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Cancels the start; stop a running server with `stop()`. */
  readonly signal?: AbortSignal
}

export interface EmbeddedServer {
  readonly port: number
  readonly socketDir: string
  /** `major.minor`, as in `18.4` */
  readonly version: string
  readonly superuser: { readonly user: string; readonly password: string }
  readonly pid: number
  /** URL on loopback for the superuser, password included: never print it. */
  url(database: string): string
  /** Fast shutdown; immediate, then kill, after bounded waits. Resolves when the process has ended. */
  stop(): Promise<void>
  /** Keeps the server running when this process ends; the next start in the folder replaces it. Call nothing afterwards. */
  detach(): void
  /** Resolves when the server process ends, for whatever reason. */
  readonly exited: Promise<ServerExit>
}

export interface ServerExit {
  readonly code: number | null
  readonly signal: string | null
}

/** What the files of a cluster show without starting it. */
export interface ClusterStatus {
  /** `absent`: there is no complete cluster here. */
  readonly state: 'absent' | 'stopped' | 'starting' | 'running' | 'stopping'
  /** Major version of the data folder, `18`; undefined when absent. */
  readonly major: string | undefined
  /** These three describe the running server, or the last one that ran. */
  readonly version: string | undefined
  readonly port: number | undefined
  readonly socketDir: string | undefined
  /** Only while a server process runs. */
  readonly pid: number | undefined
  /** The real folder of the cluster (PGDATA) and of its server log. */
  readonly clusterDir: string
  readonly logDir: string
  /** File with the superuser's password, mode 0600. */
  readonly passwordFile: string
}
