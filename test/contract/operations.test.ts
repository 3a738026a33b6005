/** That the server serves the contract, all of it and nothing else, and that its table is consistent. */
import { type Operation, operations } from '@akashi/contract'
import { describe, expect, it } from 'vitest'
import { testApp } from '../http/support.ts'

const table = Object.entries<Operation>(operations)

/** What the server has beside operations. */
const others = ['/docs/*', '/status/*', '/assets/*', '/v1/chat/socket']

describe('the table of operations', () => {
  it.each(table)('%s names the parameters of its path', (name, { params }) => {
    const named = [...name.matchAll(/\{([\w*]+)\}/g)].map(([, parameter]) => parameter)
    expect(Object.keys(params?.shape ?? {}).sort()).toEqual(named.sort())
  })

  it.each(table)('%s has a summary, and no body where a method has none', (name, { summary, body }) => {
    expect(summary).toMatch(/\S/)
    expect(summary).not.toMatch(/[.]$/)
    if (/^(GET|DELETE)/.test(name)) expect(body).toBeUndefined()
  })

  it('is what the server serves, and nothing else', async () => {
    const app = testApp()
    await app.ready()
    const served = app.accessTable
      .filter(({ url, schema }) => !others.includes(url) && schema.hide !== true)
      .map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}').replace('*', '{*}')}`)
    expect(served.sort()).toEqual(Object.keys(operations).sort())
  })
})
