/** Settings that fit the machine that a cluster was on, and may keep it from starting on another. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findHome } from './home.ts'
import { homePaths } from './home-paths.ts'

/**
 * What servers of recovery and drills run with, above whatever ALTER SYSTEM set on the source: little memory, no
 * libraries that are not there, no part in replication, no wait for standbys, as many prepared transactions and locks
 * as the source may have left.
 */
export const NEUTRAL: Readonly<Record<string, string>> = {
  archive_mode: 'off',
  hot_standby: 'off',
  huge_pages: 'off',
  listen_addresses: '',
  local_preload_libraries: '',
  max_connections: '100',
  max_logical_replication_workers: '0',
  max_prepared_transactions: '1000',
  min_dynamic_shared_memory: '0',
  session_preload_libraries: '',
  shared_buffers: '128MB',
  shared_preload_libraries: '',
  ssl: 'off',
  synchronous_standby_names: '',
  wal_buffers: '-1',
}

/** Left out of a restored cluster that does not start with them. */
const MACHINE = new Set([
  ...Object.keys(NEUTRAL).filter((name) => name !== 'max_prepared_transactions'),
  'archive_command',
  'archive_library',
  'dynamic_library_path',
  'effective_io_concurrency',
  'external_pid_file',
  'huge_page_size',
  'io_method',
  'krb_server_keyfile',
  'log_destination',
  'log_directory',
  'log_timezone',
  'maintenance_work_mem',
  'max_worker_processes',
  'port',
  'primary_conninfo',
  'primary_slot_name',
  'restore_command',
  'ssl_ca_file',
  'ssl_cert_file',
  'ssl_crl_dir',
  'ssl_crl_file',
  'ssl_dh_params_file',
  'ssl_key_file',
  'ssl_library',
  'superuser_reserved_connections',
  'temp_tablespaces',
  'unix_socket_directories',
  'work_mem',
])

/**
 * Comments out what ALTER SYSTEM set for the source's machine in the cluster of a data folder, which must not run.
 * @returns names of the settings
 */
export async function leaveOutMachineSettings(dataDir: string): Promise<string[]> {
  const dir = await findHome(dataDir)
  if (dir === undefined) return []
  const file = join(homePaths(dir).clusterDir, 'postgresql.auto.conf')
  const left: string[] = []
  const lines = (await readFile(file, 'utf8')).split('\n').map((line) => {
    const [, name] = /^\s*([a-z_.]+)\s*=/.exec(line) ?? []
    if (name === undefined || !MACHINE.has(name)) return line
    left.push(name)
    return `# left out by a restore: ${line}`
  })
  // In place, since the file belongs to the server's account.
  if (left.length > 0) await writeFile(file, lines.join('\n'))
  return left
}
