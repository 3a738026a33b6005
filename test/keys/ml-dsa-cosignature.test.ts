import { createPublicKey, verify } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Witness, witnessKey } from '../../src/audit/index.ts'
import { checkpointText } from '../../src/audit/ledger/checkpoint.ts'
import { leafHash } from '../../src/audit/ledger/merkle.ts'
import { formatAddCheckpoint } from '../../src/audit/ledger/witness/request.ts'
import {
  COSIGNATURE_TYPE,
  type CosignerKey,
  cosign,
  cosignedAt,
  formatCosignerKey,
  formatNote,
  type Keyring,
  openKeyring,
  parseCosignerKey,
  parseNote,
  parseVerifierKey,
  signNote,
} from '../../src/keys/index.ts'

const origin = 'log.example/one'
const at = new Date('2026-11-21T05:00:00Z')
const root = leafHash(Buffer.from('a'))
const text = checkpointText({ origin, size: 1n, root })

let folder = ''
let keyring: Keyring
let key: CosignerKey

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-ml-dsa-'))
  keyring = await openKeyring(`file:${join(folder, 'keys')}`)
  key = await witnessKey(keyring, 'witness.example/pq', 'ml-dsa-44')
})
afterAll(async () => {
  await keyring.close()
  await rm(folder, { recursive: true, force: true })
})

const noteBy = async (signedText = text) => {
  const log = await keyring.ensure('checkpoint')
  const { signatures } = parseNote(await signNote(keyring, log.id, origin, signedText))
  return formatNote({ text: signedText, signatures: [...signatures, await cosign(key, signedText, at)] })
}

describe('a cosignature with ML-DSA-44', () => {
  it('signs the message of the specification', async () => {
    const signature = Buffer.from(
      parseNote(await noteBy()).signatures.find(({ name }) => name === key.name)?.signature ?? [],
    )
    expect(signature).toHaveLength(8 + 2420)
    const time = Buffer.alloc(8)
    time.writeBigUInt64BE(BigInt(at.getTime() / 1000))
    expect(signature.subarray(0, 8)).toEqual(time)
    // Written out by the letter, without the code under test.
    const message = Buffer.concat([
      Buffer.from('737562747265652f76310a00', 'hex'),
      Buffer.from([18]),
      Buffer.from('witness.example/pq'),
      time,
      Buffer.from([15]),
      Buffer.from('log.example/one'),
      Buffer.alloc(8),
      Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]),
      root,
    ])
    const jwk: Record<string, string> = {
      kty: 'AKP',
      alg: 'ML-DSA-44',
      pub: Buffer.from(key.publicKey).toString('base64url'),
    }
    const publicKey = createPublicKey({ format: 'jwk', key: jwk })
    expect(verify(null, message, publicKey, signature.subarray(8))).toBe(true)
  })

  it('is checked, and covers names, time, size and root', async () => {
    const note = await noteBy()
    expect(cosignedAt(note, key)).toEqual(at)
    // Another witness's key, of the same bytes: the name is part of what is signed.
    expect(cosignedAt(note, { ...key, name: 'witness.example/other' })).toBeNull()
    for (const changed of [
      checkpointText({ origin: 'log.example/two', size: 1n, root }),
      checkpointText({ origin, size: 2n, root }),
      checkpointText({ origin, size: 1n, root: leafHash(Buffer.from('b')) }),
    ]) {
      const { signatures } = parseNote(note)
      expect(() => cosignedAt(formatNote({ text: changed, signatures }), key)).toThrow(
        expect.objectContaining({ code: 'integrity' }),
      )
    }
    const [log, cosignature] = parseNote(note).signatures
    if (log === undefined || cosignature === undefined) throw new Error('the note has two signatures')
    const without = Buffer.from(cosignature.signature)
    without.fill(0, 0, 8)
    expect(() =>
      cosignedAt(formatNote({ text, signatures: [log, { ...cosignature, signature: without }] }), key),
    ).toThrow(expect.objectContaining({ code: 'integrity' }))
  })

  it('has a verifier key of its own type, which is the key of no log', () => {
    const printed = formatCosignerKey(key)
    expect(parseCosignerKey(printed)).toEqual({ name: key.name, publicKey: Buffer.from(key.publicKey) })
    expect(Buffer.from(printed.replace(/^[^+]+\+[^+]+\+/, ''), 'base64')[0]).toBe(6)
    expect(() => parseVerifierKey(printed)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
    expect(() => parseVerifierKey(printed, COSIGNATURE_TYPE)).toThrow(
      expect.objectContaining({ code: 'invalid_input' }),
    )
  })

  it('is what such a witness returns, from a key that its keyring keeps', async () => {
    const again = await openKeyring(`file:${join(folder, 'keys')}`)
    expect((await witnessKey(again, key.name, 'ml-dsa-44')).publicKey).toEqual(key.publicKey)
    expect((await witnessKey(again, key.name)).publicKey).toHaveLength(32)
    const [info] = await again.list('post-quantum-witness')
    await expect(again.secret(info?.id ?? '')).rejects.toMatchObject({ code: 'forbidden' })
    await again.close()
    const log = await keyring.ensure('checkpoint')
    const note = await signNote(keyring, log.id, origin, text)
    const witness = await Witness.open({
      folder: join(folder, 'state'),
      key,
      logs: [{ name: origin, publicKey: await keyring.publicKey(log.id) }],
    })
    const { status, body } = await witness.addCheckpoint(
      Buffer.from(formatAddCheckpoint({ oldSize: 0n, proof: [], note })),
    )
    expect(status).toBe(200)
    expect(cosignedAt(`${text}\n${body}`, key)).not.toBeNull()
    await witness.close()
  })
})
