/** Verification of API keys in one process by function call: checksum, hash, one read, no write. */
import { createApiKey, flushApiKeyUses, hasPermission, verifyApiKey } from '../src/identity/index.ts'
import { benchCluster } from './cluster.ts'
import { atLeast, type Benchmark, bencher, figure, interleave, median, ratio } from './harness.ts'

const KEYS = 1_000
const STORED_KEYS = 20_000
const VERIFICATIONS = 10_000
const CALLERS = 32

export const apikey: Benchmark = {
  name: 'apikey',
  description: `verifications per second of one process, ${CALLERS} callers, ${STORED_KEYS} keys stored`,
  async run(options) {
    const cluster = await benchCluster()
    const count = Math.round(VERIFICATIONS * options.scale)
    try {
      const owner = cluster.connections.open('owner', { poolSize: 4 })
      const app = cluster.application(8)
      await cluster.asAdministrator((session) =>
        session.query(`
          insert into akashi_auth.service_accounts (name, tier) values ('bench', 'system');
          insert into akashi_auth.service_account_roles (service_account_id, role_id)
            select a.id, r.id from akashi_auth.service_accounts a, akashi_auth.roles r where r.name = 'sys_auditor';
          update akashi_auth.security_policies set value = '10000' where key = 'api_key.max_per_owner';
          insert into akashi_auth.api_keys (name, key_hash, key_prefix, service_name, tier, service_account_id)
            select 'other', encode(sha256(i::text::bytea), 'hex'), lpad(i::text, 10, '0'), 'bench', 'system', a.id
            from akashi_auth.service_accounts a, generate_series(1, ${STORED_KEYS - KEYS}) i;
          analyze akashi_auth.api_keys`),
      )
      await cluster.asAdministrator((session) =>
        session.query(
          `update akashi_auth.api_keys set is_active = false, revoked_at = now() where name = 'other'`,
        ),
      )
      const keys: string[] = []
      for (let made = 0; made < KEYS; made += 1) {
        const request = { name: `key-${made}`, serviceAccount: 'bench', scopes: ['events:read'] }
        keys.push((await createApiKey(owner, bencher, request)).key)
      }
      await owner.close()

      const rate = async (callers: number, total: number, once: (key: string) => Promise<boolean>) => {
        let next = 0
        const begun = performance.now()
        await Promise.all(
          Array.from({ length: callers }, async () => {
            while (next < total) {
              next += 1
              if (!(await once(keys[next % KEYS] ?? ''))) throw new Error('a valid key was refused')
            }
          }),
        )
        return (total * 1000) / (performance.now() - begun)
      }
      const verified = async (key: string) => (await verifyApiKey(app, key)) !== null
      const figures = await interleave(
        {
          verify: () => rate(CALLERS, count, verified),
          'one caller': () => rate(1, Math.ceil(count / 10), verified),
          'verify and decide': () =>
            rate(CALLERS, Math.ceil(count / 2), async (key) => {
              const caller = await verifyApiKey(app, key)
              return await app.transaction(caller?.actor ?? bencher, (session) =>
                hasPermission(session, 'events:read'),
              )
            }),
          'bare read': () =>
            rate(CALLERS, Math.ceil(count / 2), async () => {
              const { rows } = await app.transaction(bencher, (session) => session.query('select 1'))
              return rows.length === 1
            }),
        },
        options,
      )
      await flushApiKeyUses(app)
      return [
        atLeast('keys verified per second', median(figures.verify), 'keys/s', 3_000),
        figure(
          '÷ transactions per second that read nothing',
          ratio(figures.verify, figures['bare read']),
          '×',
        ),
        figure('keys verified per second, one caller', median(figures['one caller']), 'keys/s'),
        figure('keys verified and a permission decided', median(figures['verify and decide']), 'requests/s'),
      ]
    } finally {
      await cluster.close()
    }
  },
}
