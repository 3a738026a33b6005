/** The page that puts an Express application under Akashi, executed as it is written. */
import { spawn } from 'node:child_process'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** The application needs them; they are installed here already. */
const OF_THE_APPLICATION = ['express', 'drizzle-orm']
/** What the page says, which is replaced by what is there. */
const PORT = '127.0.0.1:3000'
const ADMIN_URL = /^export ADMIN_URL=.*$/m

export interface WalkthroughOptions {
  readonly root: string
  /** The folder of the application, in which `npm install` was run. */
  readonly folder: string
  readonly adminUrl: string
  readonly path: string
}

export interface Walked {
  /** What the trail has of the table. */
  readonly rows: readonly unknown[]
  /** What the page says of it. */
  readonly promised: object
}

/** Runs every command of the page, in one shell, with its files. */
export async function walkThrough({ root, folder, adminUrl, path }: WalkthroughOptions): Promise<Walked> {
  const page = await readFile(join(root, 'docs/use-from-your-app-express.md'), 'utf8')
  const blocks = (language: string) =>
    [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
      ([, text = '']) => text,
    )
  const port = await freePort()
  for (const name of OF_THE_APPLICATION) {
    await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  }
  const [server = ''] = blocks('js')
  const [change = ''] = blocks('diff')
  await writeFile(join(folder, 'server.js'), changed(server, change))
  const commands = blocks('sh')
    .join('\n')
    .replace(ADMIN_URL, `export ADMIN_URL='${adminUrl}'`)
    .replaceAll(PORT, `127.0.0.1:${port}`)
    .split('\n')
    .map(command)
  const script = ['set -eu', "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT", ...commands].join('\n')
  await run(script, folder, { PATH: path, HOME: process.env['HOME'] ?? '', PORT: String(port) })
  const { rows } = JSON.parse(await readFile(join(folder, 'trail.json'), 'utf8')) as Pick<Walked, 'rows'>
  const [promised = ''] = blocks('json')
  return { rows, promised: JSON.parse(promised) as object }
}

/** What the line is in the script: packages are installed already, and some commands are to fail. */
function command(line: string): string {
  if (line.startsWith('npm install ')) return ''
  if (line.endsWith(' --json')) return `${line} > trail.json`
  const [, failing] = /^(.*) # exits 1$/.exec(line) ?? []
  return failing === undefined ? line : `if ${failing}; then echo 'this was to fail: ${line}' >&2; exit 9; fi`
}

/** The application with the lines of the page: what is taken out gives its place to what comes in behind it. */
function changed(source: string, change: string): string {
  const lines = change.split('\n').filter((line) => line !== '')
  const imports = lines.filter((line) => line.startsWith('+import')).map((line) => line.slice(1))
  const out = lines.find((line) => line.startsWith('-'))?.slice(1) ?? ''
  const [into = '', middleware = ''] = lines
    .filter((line) => line.startsWith('+') && !line.startsWith('+import'))
    .map((line) => line.slice(1))
  const authenticated = '  next()\n})\n'
  if (!source.includes(out) || !source.includes(authenticated))
    throw new Error('the page changes what is not there')
  return `${imports.join('\n')}\n${source.replace(out, into).replace(authenticated, `${authenticated}${middleware}\n`)}`
}

function run(script: string, cwd: string, env: Record<string, string>): Promise<void> {
  const shell = spawn('bash', ['-c', script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  return new Promise((resolve, reject) => {
    shell.on('error', reject)
    shell.on('close', (status) => (status === 0 ? resolve() : reject(new Error(`exit ${status}\n${said}`))))
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}
