/** E-mail over SMTP with TLS: `smtps://user@host:465`, or `smtp://user@host:587`, which must offer STARTTLS. */
import { createTransport } from 'nodemailer'
import { resolve } from '../destination.ts'
import { type Message, severityOf, summaryOf } from '../message.ts'
import type { Channel, SendParts } from '../types.ts'
import { ATTEMPT_TIMEOUT_MS, DeliveryFailure } from './failure.ts'

const SUBJECT_CHARACTERS = 150

/** Sender, recipients and account of `smtps://user@host?from=a@b&to=c@d,e@f`. */
export async function sendEmail(
  channel: Channel,
  messages: readonly Message[],
  parts: SendParts,
): Promise<number> {
  const [first] = messages
  if (first === undefined) return 250
  const url = new URL(channel.destination)
  const { address } = await resolve(url.hostname, parts.allowed)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const isSecure = url.protocol === 'smtps:'
  const user = decodeURIComponent(url.username)
  const transport = createTransport({
    host: address,
    port: url.port === '' ? (isSecure ? 465 : 587) : Number(url.port),
    secure: isSecure,
    requireTLS: true,
    tls: { servername: host, ...parts.tls },
    ...(user === '' ? {} : { auth: { user, pass: parts.secret ?? '' } }),
    connectionTimeout: ATTEMPT_TIMEOUT_MS,
    greetingTimeout: ATTEMPT_TIMEOUT_MS,
    socketTimeout: ATTEMPT_TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const stop = () => transport.close()
  parts.signal.addEventListener('abort', stop, { once: true })
  try {
    const more = messages.length > 1 ? ` (+${messages.length - 1})` : ''
    await transport.sendMail({
      from: url.searchParams.get('from') ?? '',
      to: (url.searchParams.get('to') ?? '').split(','),
      messageId: `<${first.id}.${messages.length}@akashi>`,
      subject: `[Akashi] [${severityOf(first)}] ${summaryOf(first)}`.slice(0, SUBJECT_CHARACTERS) + more,
      text: messages
        .map(
          (message) =>
            `${message.at}  ${severityOf(message)}  ${summaryOf(message)}\n${JSON.stringify(message.row, null, 2)}\n`,
        )
        .join('\n'),
    })
    return 250
  } catch (error) {
    const code = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : null
    // Replies of 5xx are final (RFC 5321, 4.2.1), except for a wrong password, which can be corrected.
    const isFinal = code !== null && code >= 500 && code !== 535
    throw new DeliveryFailure(error instanceof Error ? error.message : String(error), { code, isFinal })
  } finally {
    parts.signal.removeEventListener('abort', stop)
    transport.close()
  }
}
