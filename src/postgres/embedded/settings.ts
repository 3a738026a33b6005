import type { Home } from './home-paths.ts'
import { LOG_FILE_SIZE, SERVER_LOG_NAME } from './server-log.ts'

/**
 * Written to the configuration file at every start; `ALTER SYSTEM` overrides them. Backup and the cross-check
 * need the senders and slots, the cross-check the logical WAL, backups summarize_wal. max_slot_wal_keep_size keeps WAL from filling the disk while the object
 * store is unreachable: beyond it the slot is lost, the gap is reported and a full backup follows.
 * max_locks_per_transaction lets one statement read years of daily partitions.
 * log_parameter_max_length keeps bound values, which may be secrets or personal data, out of the log.
 */
const DEFAULTS: Readonly<Record<string, string>> = {
  max_connections: '100',
  max_locks_per_transaction: '512',
  shared_buffers: '128MB',
  max_wal_size: '1GB',
  wal_level: 'logical',
  max_wal_senders: '10',
  max_replication_slots: '10',
  max_slot_wal_keep_size: '8GB',
  summarize_wal: 'on',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',
  datestyle: 'iso, ymd',
  lc_messages: 'C',
  default_text_search_config: 'pg_catalog.simple',
  log_statement: 'ddl',
  log_min_duration_statement: '3s',
  log_parameter_max_length: '0',
  log_line_prefix: '%m [%p] %q%u@%d ',
  log_checkpoints: 'off',
}

/** Settings that an older major version refuses to start with, and the first version that knows them. */
const SINCE: Readonly<Record<string, number>> = { summarize_wal: 17 }

/**
 * @param settings override the defaults; undefined omits one of them
 * @param version of the server, `major.minor`; default the embedded one's
 */
export function configText(settings: Readonly<Record<string, string | undefined>>, version?: string): string {
  const major = version === undefined ? Number.POSITIVE_INFINITY : Number.parseInt(version, 10)
  const lines = Object.entries({ ...DEFAULTS, ...settings }).flatMap(([name, value]) =>
    value === undefined || major < (SINCE[name] ?? 0) ? [] : [`${name} = ${quoted(value)}`],
  )
  return `# Written at every start of the embedded server. Use ALTER SYSTEM to change a setting.\n${lines.join('\n')}\n`
}

/** Passwords for every connection, loopback only, regardless of the cluster's own pg_hba.conf. */
export const HBA_TEXT = `# Written at every start of the embedded server.
local all         all              scram-sha-256
host  all         all 127.0.0.1/32 scram-sha-256
local replication all              scram-sha-256
host  replication all 127.0.0.1/32 scram-sha-256
`

/** Settings that Akashi and its clients rely on; as arguments they override everything else. */
export function serverArguments(home: Home, port: number, socketDir: string): string[] {
  const fixed: Record<string, string> = {
    config_file: home.configFile,
    hba_file: home.hbaFile,
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: quotedPath(socketDir),
    unix_socket_permissions: '0700',
    logging_collector: 'on',
    log_destination: 'stderr',
    log_directory: home.logDir,
    log_filename: SERVER_LOG_NAME,
    log_file_mode: '0600',
    log_rotation_age: '1d',
    log_rotation_size: LOG_FILE_SIZE,
  }
  return [
    '-D',
    home.clusterDir,
    ...Object.entries(fixed).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}

/** unix_socket_directories is a list: a path with a comma or a space is one element only in double quotes. */
function quotedPath(path: string): string {
  return `"${path.replaceAll('"', '""')}"`
}
