import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { PROBLEM_TYPE } from '@akashi/contract'
import { uuidV7 } from '../../foundation/index.ts'
import { problem } from '../problem.ts'

/** Responds to errors of Node's HTTP parser, before there is a request, on the socket itself and closes it. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  const beforeHttp =
    error.code?.startsWith('ERR_SSL_') === true || error.code?.startsWith('ERR_TLS_') === true
  if (error.code === 'ECONNRESET' || beforeHttp || !socket.writable) {
    socket.destroy()
    return
  }
  const body = problemOfParser(error.code)
  const text = JSON.stringify(body)
  socket.end(
    [
      `HTTP/1.1 ${body.status} ${STATUS_CODES[body.status] ?? ''}`,
      `content-type: ${PROBLEM_TYPE}`,
      `content-length: ${Buffer.byteLength(text)}`,
      `x-request-id: ${body.instance}`,
      'connection: close',
      '',
      text,
    ].join('\r\n'),
  )
}

function problemOfParser(code: string | undefined) {
  const instance = uuidV7()
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return problem('timeout', instance, { detail: 'the request did not arrive in time', status: 408 })
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return problem('too_large', instance, { detail: 'the headers are too large', status: 431 })
  }
  return problem('invalid_input', instance, { detail: 'this is not a valid HTTP request' })
}
