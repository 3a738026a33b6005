import { given } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import { type EmbeddedServer, openDatabase, system } from '../postgres/index.ts'
import {
  type Connections,
  connect,
  DATABASE_NAME,
  embeddedAddresses,
  logins,
  type PoolSettings,
  poolOptions,
  rolePassword,
} from './connections.ts'
import { migrateDatabase } from './migrate.ts'

/** Prepares an embedded cluster: the database, its migrations, the role passwords, the context key. */
export async function prepareCluster(options: {
  readonly server: EmbeddedServer
  readonly keyring: Keyring
  readonly settings: PoolSettings
  readonly signal?: AbortSignal
}): Promise<Connections> {
  const { server, keyring, settings, signal } = options
  await createDatabase(server, settings)
  const connections = await connect(embeddedAddresses(server.port, server.superuser), keyring, settings)
  await migrateDatabase({
    connections,
    keyring,
    actor: system('start'),
    ...given({ signal }),
  })
  await setRolePasswords(connections, server)
  await restrictTemporary(connections)
  return connections
}

/**
 * Names could also resolve to temporary objects of a login. Only ingestion and the restore of
 * archived rows need a temporary table, so other roles may not create any. External servers are not changed.
 */
async function restrictTemporary({ adminUrl }: Connections): Promise<void> {
  const admin = openDatabase({ url: adminUrl, role: 'owner', poolSize: 1 })
  try {
    await admin.direct((session) =>
      session.query(`revoke temporary on database ${DATABASE_NAME} from public;
        grant temporary on database ${DATABASE_NAME} to akashi_owner, akashi_worker`),
    )
  } finally {
    await admin.close()
  }
}

/** Sets the derived password of every login role. */
export async function setRolePasswords(
  connections: Connections,
  { superuser }: Pick<EmbeddedServer, 'superuser'>,
): Promise<void> {
  const admin = connections.open('owner', { poolSize: 1 })
  try {
    await admin.direct(async (session) => {
      // ALTER ROLE takes no parameters: the server quotes the text, and must not log the statement.
      await session.query('set log_statement = none')
      for (const login of logins) {
        const name = `akashi_${login}`
        const { rows } = await session.query<{ statement: string }>(
          `select format('alter role %I login password %L', $1::text, $2::text) as statement`,
          [name, rolePassword(superuser.password, name)],
        )
        await session.query(rows[0]?.statement ?? '')
      }
    })
  } finally {
    await admin.close()
  }
}

async function createDatabase(server: EmbeddedServer, settings: PoolSettings): Promise<void> {
  const maintenance = openDatabase({
    ...poolOptions(settings),
    url: server.url('postgres'),
    role: 'owner',
    poolSize: 1,
  })
  try {
    await maintenance.direct(async (session) => {
      const { rows } = await session.query('select from pg_database where datname = $1', [DATABASE_NAME])
      if (rows.length === 0)
        await session.query(`create database ${DATABASE_NAME} encoding 'UTF8' template template0`)
    })
  } finally {
    await maintenance.close()
  }
}
