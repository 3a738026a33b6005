import { readFile, stat } from 'node:fs/promises'
import { AkashiError } from '../../foundation/index.ts'
import { runProgram } from './program.ts'

/** The operating system account that the server runs under; undefined means the account of this process. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** In order of preference: the packages of Debian and Red Hat create `postgres`; `nobody` exists everywhere. */
const ACCOUNT_NAMES = ['postgres', 'nobody']

/**
 * PostgreSQL refuses to run as root. If this process is root, the server runs as the owner of an existing
 * cluster (so that a user's folder stays that user's), else as `postgres`, else as `nobody`.
 */
export async function serverAccount(clusterDir: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const owner = await stat(clusterDir).catch(() => undefined)
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const entries = passwd.split('\n').map((line) => line.split(':'))
  for (const name of ACCOUNT_NAMES) {
    const entry = entries.find((fields) => fields[0] === name)
    const uid = Number(entry?.[2])
    const gid = Number(entry?.[3])
    if (Number.isInteger(uid) && Number.isInteger(gid) && uid > 0) return { uid, gid }
  }
  throw new AkashiError(
    'unsupported',
    'postgresql does not run as root and there is no account to run it as',
    {
      hint: 'create one (useradd --system postgres), or start akashi as an ordinary user',
    },
  )
}

/** Whether `account` can enter, read and write `folder`, tested as that account. */
export async function canUse(account: Account | undefined, folder: string): Promise<boolean> {
  const probe = 'test -r "$1" && test -w "$1" && test -x "$1"'
  const { code } = await runProgram('/bin/sh', ['-c', probe, 'sh', folder], { account, cwd: '/' })
  return code === 0
}
