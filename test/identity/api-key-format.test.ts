import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeApiKey } from '../../src/identity/api-keys/format.ts'
import { API_KEY_PATTERN, parseApiKey } from '../../src/identity/index.ts'

describe('the form of an API key', () => {
  it('is recognised by the documented pattern, and never the same twice', async () => {
    const keys = Array.from({ length: 200 }, (_, at) => makeApiKey(at % 2 === 0 ? undefined : 'test'))
    for (const { key, prefix, hash } of keys) {
      expect(API_KEY_PATTERN.exec(`token="${key}";`)?.[0]).toBe(key)
      expect(parseApiKey(key)).toEqual({ prefix, hash })
      expect(hash).toBe(createHash('sha256').update(key).digest('hex'))
      expect(key).toContain(prefix)
    }
    expect(new Set(keys.map(({ key }) => key)).size).toBe(200)
    expect(new Set(keys.map(({ prefix }) => prefix)).size).toBe(200)
    const page = await readFile(new URL('../../docs/access.md', import.meta.url), 'utf8')
    expect(page).toContain(API_KEY_PATTERN.source)
  })

  it('has the vector of the documentation', async () => {
    const page = await readFile(new URL('../../docs/access.md', import.meta.url), 'utf8')
    const example = /akashi_test_[0-9A-Za-z]{59}/.exec(page)?.[0] ?? ''
    expect(parseApiKey(example)).toBeDefined()
  })

  it('does not survive a changed, lost or added character', () => {
    const { key } = makeApiKey('live')
    const alphabet = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_']
    fc.assert(
      fc.property(fc.nat(key.length - 1), fc.constantFrom(...alphabet), (at, character) => {
        fc.pre(key[at] !== character)
        expect(parseApiKey(key.slice(0, at) + character + key.slice(at + 1))).toBeUndefined()
      }),
    )
    for (const changed of [key.slice(1), key.slice(0, -1), `${key}0`, ` ${key}`, `${key}\n`, '', 'akashi_'])
      expect(parseApiKey(changed)).toBeUndefined()
    expect(parseApiKey(key.repeat(1000))).toBeUndefined()
  })

  it.each(['', 'A', 'x', 'prod1', 'waytoolongname'])('takes no environment %j', (environment) => {
    expect(() => makeApiKey(environment)).toThrow(/environment/)
  })
})
