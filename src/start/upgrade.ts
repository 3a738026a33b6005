/** `akashi upgrade`: upgrades an embedded cluster of an older major version. */
import { openEpoch, type VerifyReport } from '../audit/index.ts'
import { differences, readContent } from '../backup/index.ts'
import { AkashiError, given } from '../foundation/index.ts'
import { isReadOnly, readInstallation, verifyAndRecord } from '../operations/index.ts'
import {
  type Actor,
  type ClusterUpgrade,
  keptClusters,
  openDatabase,
  openUpgrade,
  removeKeptClusters,
  startEmbedded,
} from '../postgres/index.ts'
import { DATABASE_NAME, poolOptions } from './connections.ts'
import { openKeys, openOwnedObjects } from './places.ts'
import { prepareCluster } from './prepare-cluster.ts'
import { providerUpgrade } from './provider.ts'
import type { Settings } from './settings.ts'

export interface UpgradeRequest {
  readonly settings: Settings
  readonly actor: Actor
  /** Folder with the programs of the old version; default: where packages install them. */
  readonly binaries?: string
  readonly signal: AbortSignal
  readonly onPhase: (phase: 'copy' | 'compare' | 'ledger' | 'verify') => void
  /** Bytes of SQL copied of a database so far. */
  readonly onCopied: (database: string, bytes: number) => void
}

export interface UpgradeReport {
  /** Major version. */
  readonly from: string
  /** `major.minor` */
  readonly to: string
  readonly databases: readonly {
    readonly database: string
    readonly relations: number
    readonly rows: number
  }[]
  /** Folder of the old cluster. */
  readonly kept: string
  readonly verify: VerifyReport
}

/**
 * Copies the cluster, compares every table and sequence, replaces the old cluster by the copy, and continues the
 * ledger in a new epoch. Nothing may run on the folder; if interrupted, it starts again from the old data.
 * @returns undefined when there is nothing to do
 */
export async function upgrade(request: UpgradeRequest): Promise<UpgradeReport | undefined> {
  const { settings, binaries, signal, onPhase, onCopied } = request
  if (settings.databaseUrl !== undefined) throw await providerUpgrade(settings)
  const work = await openUpgrade(settings.data, {
    signal,
    ...given({ binaries }),
  })
  if (work === undefined) return undefined
  const { from, to, kept } = work
  let databases: UpgradeReport['databases']
  let ownsStore: boolean
  try {
    onPhase('copy')
    const names = await work.copy({ signal, onProgress: onCopied })
    onPhase('compare')
    databases = await compare(request, work, names)
    ownsStore = await ownedStore(request, work, names)
    await work.complete()
  } finally {
    await work.close()
  }
  const verify = await continueLedger({ ...request, ownsStore }, `upgraded from PostgreSQL ${from} to ${to}`)
  return { from, to, databases, kept, verify }
}

/** Whether the old cluster owns the object store; the copy, which is another cluster, then takes it over. */
async function ownedStore(
  { settings, actor, signal }: UpgradeRequest,
  work: ClusterUpgrade,
  names: readonly string[],
): Promise<boolean> {
  if (!names.includes(DATABASE_NAME)) return false
  const url = work.oldUrl(DATABASE_NAME)
  const old = openDatabase({ ...poolOptions(settings), url, role: 'owner', poolSize: 1 })
  try {
    const own = await readInstallation(old, actor, signal)
    return own.token !== null && !isReadOnly(own)
  } finally {
    await old.close()
  }
}

async function compare(
  { settings, signal }: UpgradeRequest,
  work: ClusterUpgrade,
  names: readonly string[],
): Promise<UpgradeReport['databases']> {
  const pool = { ...poolOptions(settings), role: 'owner', poolSize: 1 } as const
  const compared: { database: string; relations: number; rows: number }[] = []
  for (const database of names) {
    const old = openDatabase({ ...pool, url: work.oldUrl(database) })
    const copy = openDatabase({ ...pool, url: work.newUrl(database) })
    try {
      const [before, after] = [await readContent(old, signal), await readContent(copy, signal)]
      const [first, ...more] = differences(before, after)
      if (first !== undefined) {
        throw new AkashiError(
          'integrity',
          `the copy of ${database} differs in ${[first, ...more].join(', ')}`,
          {
            hint: 'the old data is unchanged; please report this as a bug',
          },
        )
      }
      compared.push({ database, relations: before.relations.size, rows: before.rows })
      // A copy has no statistics.
      await copy.direct((session) => session.query('analyze'), { timeoutMs: 0, signal })
    } finally {
      await old.close()
      await copy.close()
    }
  }
  return compared
}

/** Opens a new epoch, because transaction ids start again in the new cluster, and verifies the ledger. */
async function continueLedger(
  request: UpgradeRequest & { readonly ownsStore: boolean },
  reason: string,
): Promise<VerifyReport> {
  const { settings, actor, signal, onPhase } = request
  const cleanup = new AsyncDisposableStack()
  try {
    const keyring = await openKeys(settings)
    cleanup.defer(() => keyring.close())
    const server = await startEmbedded({ dataDir: settings.data, port: 0, signal })
    cleanup.defer(() => server.stop())
    onPhase('ledger')
    const connections = await prepareCluster({ server, keyring, settings, signal })
    const worker = connections.open('worker', { poolSize: 2 })
    cleanup.defer(() => worker.close())
    const { store, ownership } = await openOwnedObjects(settings, worker, actor)
    if (request.ownsStore) await ownership.takeOver(signal)
    await openEpoch(worker, actor, keyring, store, reason)
    onPhase('verify')
    return await verifyAndRecord(worker, actor, { keyring, store }, { signal })
  } finally {
    await cleanup.disposeAsync()
  }
}

/** The folders of old clusters kept by upgrades; `remove` deletes them. */
export async function oldClusters(settings: Settings, remove: boolean): Promise<string[]> {
  return remove ? await removeKeptClusters(settings.data) : await keptClusters(settings.data)
}
