/** The environment of the demo: an Akashi server, database logins, and a terminal that shows each command. */
import { join } from 'node:path'
import { loadConfig } from '../../src/foundation/index.ts'
import { type Actor, type Database, type DirectSession, system } from '../../src/postgres/index.ts'
import { findConnections, openKeys } from '../../src/start/index.ts'
import { akashi, type Outcome } from '../akashi-process.ts'
import type { Messages } from './messages.ts'
import type { Terminal } from './terminal.ts'

/** Lines shown of a result. */
const SHOWN_LINES = 20

/** The result of a step was not the expected one. */
export class Unexpected extends Error {}

export interface Stage {
  readonly terminal: Terminal
  readonly text: Messages
  readonly data: string
  /** Shows and runs a command that must exit with `status`, and shows its first lines. `> file` is only shown. */
  run(args: readonly string[], status?: number, lines?: number): Promise<Outcome>
  /** Shows and runs statements as the application on behalf of an actor. */
  asShop(name: string, actor: Actor, ...statements: string[]): Promise<void>
  /** Shows a query and its result. */
  ask<R>(query: string): Promise<R[]>
  readonly superuser: Database
  close(): Promise<void>
}

/** The actor of demo transactions without a specific user. */
export const demo = system('demo')

export async function openStage(data: string, terminal: Terminal, text: Messages): Promise<Stage> {
  const settings = await loadConfig({
    flags: { data },
    configFile: undefined,
    environment: {},
    directory: data,
  })
  const keyring = await openKeys(settings)
  const connections = await findConnections(settings, keyring)
  const shop = connections.open('app', { poolSize: 1 })
  const auditor = connections.open('security_admin', { poolSize: 1 })
  const superuser = connections.open('owner', { poolSize: 1 })
  return {
    terminal,
    text,
    data,
    superuser,
    run: async (args, status = 0, lines = SHOWN_LINES) => {
      terminal.command('$', `akashi ${args.map(shellWord).join(' ')}`)
      const verb = args.filter((argument) => !argument.startsWith('> '))
      const outcome = await akashi(verb, { cwd: data, env: { AKASHI_DATA: data } })
      const printed = outcome.stdout === '' ? outcome.stderr : outcome.stdout
      if (lines > 0) await terminal.output(printed.split('\n').slice(0, lines).join('\n'))
      if (outcome.status !== status)
        throw new Unexpected(`akashi ${args[0]}: ${outcome.status}, not ${status}`)
      return outcome
    },
    asShop: (name, actor, ...statements) =>
      shop.transaction(actor, async (session) => {
        for (const statement of statements) {
          terminal.command(`${name} =>`, statement)
          await session.query(statement)
        }
      }),
    ask: async <R>(query: string) => {
      terminal.command('auditor =>', query)
      const { rows } = await auditor.transaction(demo, (session) => session.query<R & object>(query))
      const columns = Object.keys(rows[0] ?? {})
      const cells = rows.map((row) => columns.map((column) => new Map(Object.entries(row)).get(column)))
      await terminal.output(aligned([columns, ...cells]))
      return rows
    },
    close: async () => {
      await Promise.all([shop.close(), auditor.close(), superuser.close()])
      await keyring.close()
    },
  }
}

/** An argument quoted for the shell; `> file` is unchanged. */
function shellWord(argument: string): string {
  return /^> |^[\w./:=+-]+$/.test(argument) ? argument : `"${argument}"`
}

/** Shows and runs statements as the superuser. */
export async function runShown(
  { terminal }: Stage,
  session: DirectSession,
  statements: readonly string[],
): Promise<void> {
  for (const statement of statements) {
    terminal.command('superuser =#', statement)
    await session.query(statement)
  }
}

/** Path of the generated log. */
export function generatedLog(data: string): string {
  return join(data, 'sshd.log')
}

/** Aligns cells in columns. */
function aligned(lines: readonly (readonly unknown[])[]): string {
  const text = lines.map((line) => line.map(textOf))
  const widths = text.reduce<number[]>(
    (widest, line) => line.map((cell, column) => Math.max(widest[column] ?? 0, cell.length)),
    [],
  )
  return text
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function textOf(cell: unknown): string {
  if (cell === null || cell === undefined) return ''
  return typeof cell === 'object' ? JSON.stringify(cell) : String(cell)
}
