import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bodyOf, type Fault, sendBody, takeFault } from './faults.ts'

/** Stands before a server over HTTP and does what is wrong with requests that fit a fault. */
export interface FaultProxy {
  readonly url: string
  readonly faults: Fault[]
  stop(): Promise<void>
}

/**
 * @param upstream origin and path of the server
 * @param operationOf names a request, for the faults to fit
 */
export async function startFaultProxy(
  upstream: string,
  operationOf: (method: string, url: URL) => string,
): Promise<FaultProxy> {
  const target = new URL(upstream)
  const faults: Fault[] = []
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const body = await bodyOf(incoming)
    const url = new URL(incoming.url ?? '', target)
    const fault = takeFault(faults, operationOf(incoming.method ?? '', url))
    if (fault?.kind === 'hang') return
    if (fault?.kind === 'status') {
      const headers = fault.code === undefined ? {} : { 'x-ms-error-code': fault.code }
      response.writeHead(fault.status ?? 500, headers).end()
      return
    }
    const forwarded = send({
      host: target.hostname,
      port: target.port,
      path: incoming.url,
      method: incoming.method,
      headers: incoming.headers,
    })
    forwarded.end(body)
    const [answer] = (await once(forwarded, 'response')) as [IncomingMessage]
    if (fault === undefined) {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
      return
    }
    const content = await bodyOf(answer)
    if (fault.kind === 'lost') {
      response.destroy()
      return
    }
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    sendBody(response, content, fault)
  }
  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}${target.pathname}`,
    faults,
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
