import { spawn } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { AkashiError } from '../../foundation/index.ts'

/** The operating system account that the server runs under; undefined means the account of this process. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Preferred first: Debian's and Red Hat's packages create `postgres`; `nobody` exists everywhere. */
const ACCOUNT_NAMES = ['postgres', 'nobody']

/**
 * PostgreSQL refuses uid 0. As root the server runs under the owner of the cluster where one exists
 * (a folder made by an ordinary user stays that user's), else under `postgres`, else under `nobody`.
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
  throw new AkashiError('unsupported', 'postgresql does not run as root and there is no account to run it as', {
    hint: 'create one (useradd --system postgres), or start akashi as an ordinary user',
  })
}

/**
 * Runs a program to its end as `account` and gives its output. The environment is empty but for the
 * locale, so that no PG* or LD_* variable of the caller changes what PostgreSQL does.
 */
export async function runAs(
  account: Account | undefined,
  file: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly code: number | null; readonly output: string }> {
  return await new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      ...account,
      cwd: options.cwd,
      env: serverEnvironment,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    let output = ''
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-MAX_OUTPUT_CHARS)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}

/** Enough for every message of initdb and of a failing start. */
const MAX_OUTPUT_CHARS = 16_384

export const serverEnvironment = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' } as const

/** Whether `account` can enter, read and write `folder`: asked of the kernel under that very account. */
export async function canUse(account: Account | undefined, folder: string): Promise<boolean> {
  const probe = 'test -r "$1" && test -w "$1" && test -x "$1"'
  const { code } = await runAs(account, '/bin/sh', ['-c', probe, 'sh', folder], { cwd: '/' })
  return code === 0
}
