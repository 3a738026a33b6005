/** The certificate that HTTPS is served with: read from files, and read anew when they change. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { createSecureContext, type SecureContext, type TlsOptions, Server as TlsServer } from 'node:tls'
import { AkashiError, errno, type Logger } from '../foundation/index.ts'
import type { Settings } from './settings.ts'

/** Milliseconds between two looks at the files. */
const LOOK_MS = 10_000

export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

export interface Pair {
  readonly cert: string
  readonly key: string
  readonly context: SecureContext
  /** Of the server itself, the first in the file. */
  readonly leaf: X509Certificate
}

/** Undefined where HTTP is served without TLS. @throws invalid_config where only one of the two is set */
export function certificateFiles({
  tlsCertificate: certificate,
  tlsKey: key,
}: Pick<Settings, 'tlsCertificate' | 'tlsKey'>): CertificateFiles | undefined {
  if (certificate !== undefined && key !== undefined) return { certificate, key }
  if (certificate === undefined && key === undefined) return undefined
  throw new AkashiError('invalid_config', 'HTTPS needs a certificate and its key; only one of them is set', {
    hint: 'set both AKASHI_TLS_CERTIFICATE and AKASHI_TLS_KEY, or neither',
  })
}

/** @throws invalid_config unless the files hold a certificate and its key */
export async function readPair(files: CertificateFiles): Promise<Pair> {
  return checkedPair(await readTexts(files), files)
}

interface Texts {
  readonly cert: string
  readonly key: string
}

async function readTexts({ certificate, key }: CertificateFiles): Promise<Texts> {
  return { cert: await readText(certificate), key: await readText(key) }
}

function checkedPair({ cert, key }: Texts, files: CertificateFiles): Pair {
  try {
    const leaf = new X509Certificate(cert)
    // A context is also made without a key, and an empty one counts as none.
    if (!leaf.checkPrivateKey(createPrivateKey(key)))
      throw new Error('the key is that of another certificate')
    return { cert, key, leaf, context: createSecureContext({ cert, key }) }
  } catch (error) {
    // What OpenSSL says of a file holds nothing of its content.
    const why = error instanceof Error ? error.message : String(error)
    throw new AkashiError(
      'invalid_config',
      `${files.certificate} and ${files.key} are not a certificate and its key: ${why}`,
      { hint: 'both must be PEM, and the key one without a passphrase', cause: error },
    )
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new AkashiError('invalid_config', `${path} cannot be read (${errno(error) ?? 'unknown'})`, {
      hint: 'check the path of the certificate and its key, and that this account may read them',
      cause: error,
    })
  }
}

export interface ServedCertificate {
  /** For the server that is created. */
  readonly options: TlsOptions
  /** Has the server show the new certificate when the files change. */
  follow(server: Server, everyMs?: number): { stop(): void }
}

/** @throws invalid_config unless the files hold a certificate and its key */
export async function openCertificate(
  settings: Pick<Settings, 'tlsCertificate' | 'tlsKey'>,
  log: Logger,
): Promise<ServedCertificate | undefined> {
  const files = certificateFiles(settings)
  if (files === undefined) return undefined
  let pair = await readPair(files)
  if (hasEnded(pair))
    log.error({ certificate: files.certificate }, `the certificate ended ${pair.leaf.validTo}`)
  return {
    options: {
      cert: pair.cert,
      key: pair.key,
      minVersion: 'TLSv1.2',
      // Every listener of the server asks here, also those that it opens for further addresses of a name.
      SNICallback: (_, done) => done(null, pair.context),
    },
    follow: (server, everyMs = LOOK_MS) => {
      const look = openLook(files, digest(pair), log, (found) => {
        pair = found
        // For clients that name no host.
        if (server instanceof TlsServer) server.setSecureContext({ cert: found.cert, key: found.key })
      })
      const timer = setInterval(look, everyMs)
      timer.unref()
      return { stop: () => clearInterval(timer) }
    },
  }
}

/**
 * What is done at each look. Two files do not change at the same moment, so a pair that does not fit is reported only
 * when it is still there at the next look, and then once.
 */
function openLook(
  files: CertificateFiles,
  served: string,
  log: Logger,
  take: (pair: Pair) => void,
): () => Promise<void> {
  let current = served
  let seen = served
  let reported = served
  let looking = false
  const look = async () => {
    let found = ''
    try {
      const texts = await readTexts(files)
      found = digest(texts)
      if (found === current) return
      const pair = checkedPair(texts, files)
      if (hasEnded(pair))
        throw new AkashiError('invalid_config', `the certificate ended ${pair.leaf.validTo}`)
      take(pair)
      current = found
      log.info({ certificate: files.certificate, validTo: pair.leaf.validTo }, 'serving the new certificate')
    } catch (error) {
      if (seen === found && reported !== found) {
        log.error({ err: error }, 'the new certificate cannot be used; the former one is served on')
        reported = found
      }
    } finally {
      seen = found
    }
  }
  return async () => {
    if (looking) return
    looking = true
    await look()
    looking = false
  }
}

function hasEnded({ leaf }: Pair): boolean {
  return leaf.validToDate.getTime() <= Date.now()
}

function digest({ cert, key }: Texts): string {
  return createHash('sha256')
    .update(JSON.stringify([cert, key]))
    .digest('hex')
}
