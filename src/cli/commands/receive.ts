import { readFile } from 'node:fs/promises'
import { AkashiError } from '../../foundation/index.ts'
import type { Register } from '../invocation.ts'

/** RFC 5425 and RFC 6587. */
const PORTS: Readonly<Record<string, number>> = { 'tls:': 6514, 'tcp:': 601 }

interface Address {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
}

export const receive: Register = (program, perform) => {
  program
    .command('receive')
    .argument('<address>', 'tls://HOST[:6514] or tcp://HOST[:601]')
    .description('receive syslog from hosts over TLS or TCP until it is stopped')
    .option('--certificate <file>', 'certificate and its chain, PEM')
    .option('--key <file>', 'private key of the certificate, PEM')
    .option('--client-ca <file>', 'accept only senders with a certificate from this authority')
    .option('--timezone <zone>', 'time zone of times without an offset, such as Asia/Tokyo (default: UTC)')
    .option('--source <name>', 'distinguishes systems that could write identical lines')
    .action((written: string) =>
      perform(async (cli) => {
        const { host, port, isTls } = addressOf(written)
        const tls = isTls ? await certificateOf(cli.flags) : null
        const { timezone, source } = cli.flags
        const { receiveSyslog } = await import('../../security/index.ts')
        const { withConnections } = await import('../databases.ts')
        const log = await cli.log()
        await withConnections(cli, async ({ pool, actor }) => {
          const receiver = await receiveSyslog({
            host,
            port,
            tls,
            parse: {
              timezone: typeof timezone === 'string' ? timezone : 'UTC',
              ...(typeof source === 'string' ? { source } : {}),
            },
            database: pool('worker'),
            actor,
            log,
            signal: cli.signal,
          }).catch((cause: unknown) => {
            const { code = '' } = cause as { code?: string }
            throw new AkashiError('unavailable', `cannot listen at ${written}: ${code}`, {
              cause,
              hint: 'check that nothing else uses the port, and that the certificate and key belong together',
            })
          })
          cli.note(`receiving at ${isTls ? 'tls' : 'tcp'}://${host}:${receiver.port}`)
          const { messages, stored, rejected } = await receiver.ended
          cli.print(
            { messages, stored, rejected },
            `${messages} messages received, ${rejected} of them not events; ${stored} events stored`,
          )
        })
        return 0
      }),
    )
}

function addressOf(written: string): Address {
  const url = URL.parse(written)
  const known = url === null ? undefined : PORTS[url.protocol]
  if (url === null || known === undefined || url.hostname === '') {
    throw new AkashiError('invalid_input', `${written} is not a valid address`, {
      hint: 'write tls://0.0.0.0:6514 or tcp://127.0.0.1:601',
    })
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? known : Number(url.port),
    isTls: url.protocol === 'tls:',
  }
}

async function certificateOf(flags: Readonly<Record<string, unknown>>) {
  const { certificate, key, clientCa } = flags
  if (typeof certificate !== 'string' || typeof key !== 'string') {
    throw new AkashiError('invalid_input', 'TLS needs a certificate and its key', {
      hint: 'give --certificate and --key, or listen at tcp://127.0.0.1:601',
    })
  }
  return {
    cert: await pem(certificate),
    key: await pem(key),
    ...(typeof clientCa === 'string' ? { ca: await pem(clientCa) } : {}),
  }
}

async function pem(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new AkashiError('not_found', `${file} cannot be read`, { cause })
  })
}
