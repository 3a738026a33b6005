/** Whether the pages are served with a certificate that browsers accept. */
import { isIP } from 'node:net'
import { certificateFiles, readPair } from '../../https.ts'
import type { Check, Finding } from '../check.ts'

const DAY_MS = 86_400_000
/** Days before its end at which a certificate should have been renewed. */
const RENEWED_DAYS = 14

interface Served {
  readonly validTo: Date
  /** Host of the public URL; undefined where only this machine is served. */
  readonly host: string | undefined
  readonly names: (host: string) => boolean
}

export const https: Check = {
  name: 'HTTPS',
  run: async ({ config }): Promise<Finding> => {
    const files = certificateFiles(config)
    const { publicUrl } = config
    if (files === undefined) {
      const who =
        publicUrl === undefined ? 'to this machine alone' : `behind a proxy that serves ${publicUrl}`
      return { ok: true, detail: `no certificate is set: HTTP is served ${who}` }
    }
    const { leaf } = await readPair(files)
    const host = publicUrl === undefined ? undefined : new URL(publicUrl).hostname
    return judgeHttps(
      {
        validTo: leaf.validToDate,
        host,
        names: (name) => (isIP(name) === 0 ? leaf.checkHost(name) : leaf.checkIP(name)) !== undefined,
      },
      new Date(),
    )
  },
}

export function judgeHttps({ validTo, host, names }: Served, now: Date): Finding {
  const until = validTo.toISOString().slice(0, 10)
  const days = (validTo.getTime() - now.getTime()) / DAY_MS
  if (days <= RENEWED_DAYS) {
    return {
      ok: false,
      detail: `the certificate ${days > 0 ? 'ends' : 'ended'} on ${until}`,
      hint: 'put a new certificate and its key in place of the files; they are taken over without a restart',
    }
  }
  if (host !== undefined && !names(host)) {
    return {
      ok: false,
      detail: `the certificate does not name ${host}, the host of the public URL`,
      hint: 'have it issued for that name, or correct AKASHI_PUBLIC_URL',
    }
  }
  return { ok: true, detail: `served over TLS, with a certificate until ${until}` }
}
