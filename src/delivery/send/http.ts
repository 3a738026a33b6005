/** One POST to a checked address; redirects are not followed. */
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { type BlockList, isIP } from 'node:net'
import { resolve } from '../destination.ts'
import { DeliveryFailure } from './failure.ts'

/** Maximum characters of a refusal that are stored. */
const EXCERPT_CHARACTERS = 200
const isRetried = (status: number) => status >= 500 || [408, 425, 429].includes(status)

/** @throws DeliveryFailure for any status other than success */
export async function post(
  url: URL,
  body: string,
  headers: Readonly<Record<string, string>>,
  { allowed, signal }: { readonly allowed: BlockList; readonly signal: AbortSignal },
): Promise<number> {
  const { address, family } = await resolve(url.hostname, allowed)
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return await new Promise<number>((succeed, fail) => {
    const request = send(
      {
        host: address,
        family,
        port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
        ...(isIP(host) === 0 ? { servername: host } : {}),
        method: 'POST',
        path: `${url.pathname}${url.search}`,
        agent: false,
        signal,
        headers: { ...headers, host: url.host, 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        const { statusCode = 0 } = response
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text = `${text}${chunk}`.slice(0, EXCERPT_CHARACTERS)
        })
        response.on('error', fail)
        response.on('end', () => {
          if (statusCode >= 200 && statusCode < 300) succeed(statusCode)
          else {
            const excerpt = text.replaceAll(/[^\x20-\x7e]+/g, ' ').trim()
            const failure = `HTTP ${statusCode}${excerpt === '' ? '' : `: ${excerpt}`}`
            fail(new DeliveryFailure(failure, { code: statusCode, isFinal: !isRetried(statusCode) }))
          }
        })
      },
    )
    request.on('error', fail)
    request.end(body)
  })
}
