import type { createPublicKey } from 'node:crypto'
import { expect, it, vi } from 'vitest'
import { cosignedAt, formatNote, hasMlDsa, keyHash, ML_DSA_COSIGNATURE_TYPE } from '../../src/keys/index.ts'

vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>()
  // As Node.js before 24.6: it knows no such JSON Web Key.
  const olderCreatePublicKey = (input: Parameters<typeof createPublicKey>[0]) => {
    if (JSON.stringify(input).includes('ML-DSA-44')) throw new TypeError('Invalid JWK')
    return crypto.createPublicKey(input)
  }
  return { ...crypto, createPublicKey: olderCreatePublicKey }
})

it('says that a cosignature cannot be checked where Node.js has no ML-DSA, and takes it for neither', () => {
  expect(hasMlDsa()).toBe(false)
  const key = { name: 'witness.example/pq', publicKey: Buffer.alloc(1312, 1) }
  const note = (signature: Buffer) =>
    formatNote({
      text: `log.example/one\n1\n${Buffer.alloc(32).toString('base64')}\n`,
      signatures: [{ name: key.name, hash: keyHash(key, ML_DSA_COSIGNATURE_TYPE), signature }],
    })
  expect(() => cosignedAt(note(Buffer.alloc(8 + 2420, 1)), key)).toThrow(
    expect.objectContaining({ code: 'unsupported' }),
  )
  // What is wrong at sight needs no mathematics.
  expect(() => cosignedAt(note(Buffer.alloc(100, 1)), key)).toThrow(
    expect.objectContaining({ code: 'integrity' }),
  )
})
