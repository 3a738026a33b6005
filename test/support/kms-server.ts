import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { z } from 'zod'

/**
 * A peer of AWS KMS for tests: GenerateDataKey and Decrypt of the protocol AWS JSON 1.1, with keys of real
 * AES-256-GCM whose associated data is the encryption context, and KMS's own errors. It checks that a
 * request is signed (SigV4), not the signature.
 */
export interface KmsServer {
  readonly endpoint: string
  /** Operations so far, with the encryption context of each. */
  readonly requests: { readonly operation: string; readonly context: Record<string, string> }[]
  /** Every request is answered with this error until it is null. */
  failure: string | null
  stop(): Promise<void>
}

const NONCE_BYTES = 12
const TAG_BYTES = 16
/** As of KMS: the blob names its key in front. */
const NAME_BYTES = 64

const request = z.object({
  KeyId: z.string(),
  NumberOfBytes: z.int().optional(),
  CiphertextBlob: z.base64().optional(),
  EncryptionContext: z.record(z.string(), z.string()).default({}),
})

class KmsFailure extends Error {}

/** @param keys ids or aliases that exist */
export async function startKms(keys: readonly string[]): Promise<KmsServer> {
  const material = new Map(keys.map((name) => [name, randomBytes(32)]))
  const requests: KmsServer['requests'] = []
  const state: { failure: string | null } = { failure: null }

  const answer = async (incoming: IncomingMessage): Promise<Record<string, string>> => {
    const operation = String(incoming.headers['x-amz-target']).replace('TrentService.', '')
    if (incoming.headers.authorization?.startsWith('AWS4-HMAC-SHA256 Credential=') !== true)
      throw new KmsFailure('MissingAuthenticationTokenException')
    const body = request.parse(await json(incoming))
    requests.push({ operation, context: body.EncryptionContext })
    if (state.failure !== null) throw new KmsFailure(state.failure)
    const key = material.get(body.KeyId)
    if (key === undefined) throw new KmsFailure('NotFoundException')
    const context = Buffer.from(JSON.stringify(Object.entries(body.EncryptionContext).sort()))
    if (operation === 'GenerateDataKey') {
      const plaintext = randomBytes(body.NumberOfBytes ?? 0)
      const blob = encrypt(key, body.KeyId, plaintext, context)
      return {
        KeyId: body.KeyId,
        Plaintext: plaintext.toString('base64'),
        CiphertextBlob: blob.toString('base64'),
      }
    }
    if (operation === 'Decrypt') {
      const plaintext = decrypt(key, body.KeyId, Buffer.from(body.CiphertextBlob ?? '', 'base64'), context)
      return { KeyId: body.KeyId, Plaintext: plaintext.toString('base64') }
    }
    throw new KmsFailure('UnknownOperationException')
  }

  const server = createServer(async (incoming, outgoing) => {
    outgoing.setHeader('content-type', 'application/x-amz-json-1.1')
    try {
      outgoing.end(JSON.stringify(await answer(incoming)))
    } catch (error) {
      outgoing.statusCode = error instanceof KmsFailure ? 400 : 500
      outgoing.end(
        JSON.stringify({ __type: error instanceof KmsFailure ? error.message : 'InternalFailure' }),
      )
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    get failure() {
      return state.failure
    },
    set failure(name) {
      state.failure = name
    },
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function encrypt(key: Buffer, name: string, plaintext: Buffer, context: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(context)
  const prefix = Buffer.from(name.padEnd(NAME_BYTES))
  return Buffer.concat([prefix, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function decrypt(key: Buffer, name: string, blob: Buffer, context: Buffer): Buffer {
  if (blob.subarray(0, NAME_BYTES).toString().trimEnd() !== name)
    throw new KmsFailure('IncorrectKeyException')
  const nonce = blob.subarray(NAME_BYTES, NAME_BYTES + NONCE_BYTES)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(context)
    decipher.setAuthTag(blob.subarray(-TAG_BYTES))
    const sealed = blob.subarray(NAME_BYTES + NONCE_BYTES, -TAG_BYTES)
    return Buffer.concat([decipher.update(sealed), decipher.final()])
  } catch {
    throw new KmsFailure('InvalidCiphertextException')
  }
}
