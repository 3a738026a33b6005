/** What people and programs do all day, and the noise of the internet, without an attack. */
import type { Random } from '../../../scripts/event-logs/random.ts'
import { type Line, type Scene, scene } from './scene.ts'

const PEOPLE = 2_000
/** Tokyo: nine in the morning, in hours of UTC. */
const MORNING = 0
const OFFICE_HOURS = 9
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** So many lines between two times, in no order. */
export function* background(random: Random, count: number, from: number, days: number): Generator<Line> {
  const numbers = { next: 1 << 16 }
  for (let made = 0; made < count; ) {
    const lines: Line[] = []
    const day = from + random.below(days) * DAY_MS
    const at = day + random.below(DAY_MS)
    const who = random.below(PEOPLE)
    const name = `p${who}`
    const own = `10.${who >> 8}.${who & 255}.7`
    const from2 = scene(lines, random, at, null, numbers)
    const kind = random.below(100)
    if (kind < 32) host(from2, kind, name, own)
    else if (kind < 55)
      from2.json(0, {
        event_type: 'read',
        event_category: 'data_access',
        user_id: name,
        resource_type: 'card',
      })
    else if (kind < 56)
      from2.json(0, {
        event_type: 'permission_denied',
        event_category: 'authorization',
        user_id: name,
        result: 'failure',
      })
    else if (kind < 70) {
      from2.cloudtrail(0, {
        eventName: random.pick(['DescribeInstances', 'GetObject', 'ListBuckets', 'AssumeRole', 'PutObject']),
        eventSource: 'ec2.amazonaws.com',
        sourceIPAddress: own,
        userIdentity: {
          type: 'IAMUser',
          arn: `arn:aws:iam::123456789012:user/${name}`,
          accountId: '123456789012',
          userName: name,
        },
        ...(random.below(50) === 0 ? { errorCode: 'AccessDenied' } : {}),
      })
    } else if (kind < 85) {
      const text = random.pick([
        'SELECT * FROM orders WHERE id = 7',
        'INSERT INTO orders VALUES (1)',
        'CREATE INDEX i ON orders (id)',
      ])
      from2.postgresql(0, { user: name, remote_host: own, message: `statement: ${text}` })
    } else {
      const hours = random.next() * OFFICE_HOURS + MORNING
      const weekday = new Date(day).getUTCDay()
      // At weekends people read.
      const operation = weekday === 0 || weekday === 6 ? 'SELECT' : 'UPDATE'
      scene(lines, random, day + hours * HOUR_MS, null, numbers).trail(0, { user_id: name, operation })
    }
    made += lines.length
    yield* lines
  }
}

/** What a host logs: sign-ins, with a typing error now and then, guesses from the internet, and sudo. */
function host(scene: Scene, kind: number, name: string, own: string): void {
  if (kind < 15) scene.sshd(0, `Accepted publickey for ${name} from ${own} port 50022 ssh2: ED25519 SHA256:x`)
  else if (kind < 18) {
    // A typing error or two.
    for (let n = 0; n <= scene.random.below(2); n += 1)
      scene.sshd(n * 9, `Failed password for ${name} from ${own} port 50022 ssh2`)
    scene.sshd(25, `Accepted password for ${name} from ${own} port 50022 ssh2`)
  } else if (kind < 30) {
    const guess = `${scene.random.hex(5)}`
    const stranger = scene.address()
    scene.sshd(0, `Invalid user ${guess} from ${stranger} port 40000`)
    scene.sshd(1, `Failed password for invalid user ${guess} from ${stranger} port 40000 ssh2`)
    scene.sshd(2, `Connection closed by ${stranger} port 40000 [preauth]`)
  } else scene.sshd(0, `${name} : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/apt update`, 'sudo')
}
