/** Signed webhooks by Standard Webhooks (standardwebhooks.com), and messages to chat services. */
import { createHmac } from 'node:crypto'
import { type Message, ocsfOf, plainOf, severityOf, summaryOf, typeOf } from '../message.ts'
import type { Channel, SendParts } from '../types.ts'
import { DeliveryFailure } from './failure.ts'
import { post } from './http.ts'

const MS_PER_S = 1_000
const PREFIX = 'whsec_'
/** Bytes of the secret that Standard Webhooks asks for. */
const MIN_SECRET_BYTES = 24

/** The bytes of `whsec_…`. */
export function signingKey(secret: string): Buffer {
  const key = Buffer.from(secret.replace(PREFIX, ''), 'base64')
  if (!secret.startsWith(PREFIX) || key.length < MIN_SECRET_BYTES) {
    throw new DeliveryFailure(
      `the secret of a webhook is ${PREFIX} and ${MIN_SECRET_BYTES} bytes or more in base64`,
      {
        isFinal: true,
      },
    )
  }
  return key
}

export async function sendWebhook(
  channel: Channel,
  [message]: readonly Message[],
  parts: SendParts,
): Promise<number> {
  if (message === undefined) return 200
  const body = JSON.stringify(channel.format === 'ocsf' ? ocsfOf(message) : plainOf(message))
  const timestamp = String(Math.floor(Date.now() / MS_PER_S))
  const key = signingKey(parts.secret ?? '')
  const signature = createHmac('sha256', key).update(`${message.id}.${timestamp}.${body}`).digest('base64')
  return await post(
    new URL(channel.destination),
    body,
    {
      'content-type': 'application/json',
      'webhook-id': message.id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
    parts,
  )
}

const colors = {
  info: 'default',
  low: 'accent',
  medium: 'warning',
  high: 'attention',
  critical: 'attention',
} as const

/** Slack takes `text`; the path of the URL is its secret and is kept in the keyring. */
export async function sendToChat(
  channel: Channel,
  [message]: readonly Message[],
  parts: SendParts,
): Promise<number> {
  if (message === undefined) return 200
  const severity = severityOf(message)
  const line = `[${severity}] ${summaryOf(message)}`
  const facts = `${typeOf(message)} · ${message.at} · ${message.id}`
  const body =
    channel.kind === 'slack'
      ? { text: `${escapeSlack(line)}\n${escapeSlack(facts)}` }
      : {
          type: 'message',
          attachments: [
            {
              contentType: 'application/vnd.microsoft.card.adaptive',
              content: {
                $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
                type: 'AdaptiveCard',
                version: '1.4',
                body: [
                  { type: 'TextBlock', text: line, weight: 'bolder', wrap: true, color: colors[severity] },
                  { type: 'TextBlock', text: facts, isSubtle: true, wrap: true },
                ],
              },
            },
          ],
        }
  const url = new URL(parts.secret ?? channel.destination)
  return await post(url, JSON.stringify(body), { 'content-type': 'application/json' }, parts)
}

function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Several messages, one per line. */
export async function sendStream(
  channel: Channel,
  messages: readonly Message[],
  parts: SendParts,
): Promise<number> {
  return await post(
    new URL(channel.destination),
    linesOf(channel, messages),
    {
      'content-type': 'application/x-ndjson',
      // The id stays the same when it is sent again, so that the receiver can recognize it.
      'idempotency-key': `${channel.id}:${messages[0]?.position ?? 0}:${messages.at(-1)?.position ?? 0}`,
      ...(parts.secret === null ? {} : { authorization: `Bearer ${parts.secret}` }),
    },
    parts,
  )
}

export function linesOf(channel: Channel, messages: readonly Message[]): string {
  return messages
    .map((message) =>
      JSON.stringify(
        channel.format === 'ocsf'
          ? ocsfOf(message)
          : { log: message.log, position: message.position, id: message.id, ...plainOf(message) },
      ),
    )
    .map((line) => `${line}\n`)
    .join('')
}
