/** Puts the shop under audit, as the administrator of the database: what a setup does once. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'

/** Runs `akashi` with these arguments and `--json`, and returns what it prints. */
export type Akashi = (...parameters: string[]) => Promise<unknown>

export async function prepareShop(
  administratorUrl: string,
  akashi: Akashi,
): Promise<{ readonly databaseUrl: string; readonly contextKey: string }> {
  const password = randomBytes(18).toString('base64url')
  const client = new pg.Client({ connectionString: administratorUrl })
  await client.connect()
  try {
    // The password has no character that a literal would need to escape.
    await client.query(`create role shop_app login password '${password}' in role akashi_client`)
    await client.query(await readFile(join(import.meta.dirname, 'schema.sql'), 'utf8'))
  } finally {
    await client.end()
  }
  const required = ['--require-context', '--history', 'shop_app']
  await akashi('protect', 'shop.customers', '--subject', 'id', '--digest', 'name,email', ...required)
  await akashi('protect', 'shop.orders', '--subject', 'customer_id', ...required)
  const { key } = (await akashi('context-key', 'create', '--application', 'shop', '--login', 'shop_app')) as {
    key: string
  }
  const url = new URL(administratorUrl)
  url.username = 'shop_app'
  url.password = password
  return { databaseUrl: url.href, contextKey: key }
}
