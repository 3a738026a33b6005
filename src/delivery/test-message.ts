/** A message that says that it is a test, sent at once. */
import { randomUUID } from 'node:crypto'
import type { Channel } from '@akashi/contract'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { failureOf, send } from './deliver.ts'
import { allowedNetworks } from './destination.ts'
import { openSecret } from './secret.ts'

interface TestResult {
  readonly delivered: boolean
  readonly error: string | null
  readonly milliseconds: number
}

export async function testChannel(
  parts: {
    readonly database: Database
    readonly keyring: Keyring
    readonly openStore: (url: string) => Promise<ObjectStore>
  },
  actor: Actor,
  channel: Channel,
  signal: AbortSignal = new AbortController().signal,
): Promise<TestResult> {
  const { database, keyring, openStore } = parts
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ secret: Buffer | null; keyId: string | null; networks: string[] }>(
        `select secret, secret_key_id as "keyId", akashi_lifecycle.setting('delivery.allowed_networks') as networks
         from akashi_security.delivery_channels where id = $1`,
        [channel.id],
      ),
    { readOnly: true },
  )
  const { secret = null, keyId = null, networks = [] } = rows[0] ?? {}
  const at = new Date().toISOString()
  const message = {
    position: 0,
    id: randomUUID(),
    log: 'security_events' as const,
    at,
    row: {
      event_type: 'channel_test',
      severity: 'info',
      created_at: at,
      description: `A test of the channel ${channel.name}. チャンネルのテストです。`,
    },
  }
  const started = performance.now()
  const took = () => Math.round(performance.now() - started)
  try {
    await send(
      channel,
      [message],
      {
        secret:
          secret === null || keyId === null
            ? null
            : await openSecret(keyring, channel.name, { keyId, bytes: secret }),
        allowed: allowedNetworks(networks),
        openStore,
      },
      signal,
    )
    return { delivered: true, error: null, milliseconds: took() }
  } catch (error) {
    return { delivered: false, error: failureOf(error).message, milliseconds: took() }
  }
}
