/** `node examples/shop/main.ts`: Akashi with a database of its own, the shop on it, and what to try. */
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openShop } from './app.ts'
import { prepareShop } from './prepare.ts'

const bin = join(import.meta.dirname, '../../bin/akashi')
const data = await mkdtemp(join(tmpdir(), 'akashi-shop-'))
const akashi = async (...parameters: string[]): Promise<unknown> => {
  const { stdout } = await promisify(execFile)(bin, [...parameters, '--data', data, '--json'])
  return JSON.parse(stdout)
}

const server = spawn(bin, ['up', '--data', data, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
// Also when something below fails.
process.once('exit', () => server.kill('SIGTERM'))
const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()))
await new Promise<void>((resolve, reject) => {
  server.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (/^ready /m.test(text)) resolve()
  })
  server.once('exit', () => reject(new Error('akashi did not start')))
})
const { superuser } = (await akashi('status')) as { superuser: string }
const shop = await openShop(await prepareShop(superuser, akashi))
const url = await shop.listen({ port: 0 })
process.stdout.write(`shop ${url}
  curl -X PUT  ${url}/customer -H 'x-customer: taro' -H 'content-type: application/json' -d '{"id":"taro","name":"Taro","email":"taro@example.jp"}'
  curl -X POST ${url}/orders -H 'x-customer: taro' -H 'content-type: application/json' -d '{"item":"tea"}'
  curl -X POST ${url}/orders/1/return -H 'x-customer: taro'
  curl ${url}/orders/1/history -H 'x-customer: taro'
  bin/akashi audit history shop.orders 1 --data ${data}
  bin/akashi verify --data ${data}
`)

async function stop(): Promise<void> {
  await shop.close()
  server.kill('SIGTERM')
  await exited
  await rm(data, { recursive: true, force: true })
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop())
