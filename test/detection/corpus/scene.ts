/** What an attack, or something that only looks like one, leaves in the logs. */
import type { Random } from '../../../scripts/event-logs/random.ts'

export type Form = 'sshd' | 'cloudtrail' | 'postgresql' | 'json' | 'trail'

export interface Truth {
  readonly kind: string
  /** Number of the attack in the corpus. */
  readonly attack: number
}

export interface Line {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly form: Form
  readonly text: string
  /** Null for what is no attack, however much it looks like one. */
  readonly truth: Truth | null
}

/** Writes the lines of one story. */
export interface Scene {
  readonly random: Random
  /** An address, and a name, that no other story has. */
  readonly address: () => string
  readonly person: () => string
  sshd(second: number, message: string, program?: string): void
  cloudtrail(second: number, record: object): void
  postgresql(second: number, record: object): void
  json(second: number, event: object): void
  trail(second: number, row: object): void
}

const HOSTS = ['web1', 'web2', 'db1', 'bastion'] as const
const TRAIL_ROW = { operation: 'INSERT', schema_name: 'app', table_name: 'orders', db_user: 'app' }

/** @param numbers counts addresses and names, over all stories of a corpus */
export function scene(
  lines: Line[],
  random: Random,
  start: number,
  truth: Truth | null,
  numbers: { next: number },
): Scene {
  const place = (form: Form, second: number, text: (at: Date) => string) => {
    const at = Math.round(start + second * 1000)
    lines.push({ at, form, text: text(new Date(at)), truth })
  }
  const host = random.pick(HOSTS)
  const common = () => ({
    eventVersion: '1.09',
    awsRegion: 'ap-northeast-1',
    userAgent: 'aws-cli/2.15.0',
    recipientAccountId: '123456789012',
    requestID: random.uuid(),
    eventID: random.uuid(),
  })
  return {
    random,
    address: () => {
      numbers.next += 1
      return `198.${18 + ((numbers.next >> 16) & 1)}.${(numbers.next >> 8) & 255}.${numbers.next & 255}`
    },
    person: () => {
      numbers.next += 1
      return `m${numbers.next}`
    },
    sshd: (second, message, program = `sshd[${1000 + random.below(30_000)}]`) =>
      place('sshd', second, (at) => `${at.toISOString()} ${host} ${program}: ${message}`),
    cloudtrail: (second, record) =>
      place('cloudtrail', second, (at) =>
        JSON.stringify({ ...common(), eventTime: at.toISOString(), ...record }),
      ),
    postgresql: (second, record) =>
      place('postgresql', second, (at) =>
        JSON.stringify({
          timestamp: at.toISOString().replace('T', ' ').replace('Z', ' UTC'),
          dbname: 'shop',
          session_id: `${random.hex(8)}.${random.hex(4)}`,
          line_num: 1 + random.below(1000),
          error_severity: 'LOG',
          application_name: 'psql',
          backend_type: 'client backend',
          ...record,
        }),
      ),
    json: (second, event) =>
      place('json', second, (at) =>
        JSON.stringify({
          severity: 'info',
          source_service: 'shop',
          created_at: at.toISOString(),
          ...event,
        }),
      ),
    trail: (second, row) =>
      place('trail', second, (at) =>
        JSON.stringify({ ...TRAIL_ROW, ...row, created_at: at.getTime() * 1000 }),
      ),
  }
}
