/** Engine processes, which run one query at a time and can be killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { AkashiError, programFile } from '../../foundation/index.ts'
import { ENGINE_HEAP_MB, ENGINE_IDLE_MS, ENGINE_START_MS } from './limits.ts'
import type { Request, Response } from './protocol.ts'

const program = programFile(import.meta.url, './engine-child')

export type ResponseOf<K extends Response['kind']> = Extract<Response, { readonly kind: K }>

/** An engine, borrowed for one query. */
export interface Engine {
  /** Sends a request and passes on every response until that of kind `last`, which it returns. */
  ask<K extends Response['kind']>(
    request: Request,
    last: K,
    onResponse?: (response: Response) => void | Promise<void>,
  ): Promise<ResponseOf<K>>
  /** Ends it immediately; its request rejects with `reason`. */
  kill(reason: unknown): void
}

interface Running extends Engine {
  readonly dead: boolean
}

/** Keeps one engine warm between queries; close it when done. */
export interface Engines {
  borrow(): Promise<Running>
  giveBack(engine: Running): void
  close(): void
}

export function openEngines(): Engines {
  const all = new Set<Running>()
  let spare: Running | undefined
  let forget: NodeJS.Timeout | undefined
  const drop = (engine: Running) => {
    all.delete(engine)
    engine.kill(stopped())
  }
  return {
    borrow: async () => {
      clearTimeout(forget)
      const kept = spare
      spare = undefined
      if (kept !== undefined && !kept.dead) return kept
      const engine = await startEngine()
      all.add(engine)
      return engine
    },
    giveBack: (engine) => {
      if (engine.dead || spare !== undefined) return drop(engine)
      spare = engine
      forget = setTimeout(() => {
        spare = undefined
        drop(engine)
      }, ENGINE_IDLE_MS).unref()
    },
    close: () => {
      clearTimeout(forget)
      spare = undefined
      for (const engine of all) drop(engine)
    },
  }
}

function stopped(): AkashiError {
  return new AkashiError('unavailable', 'the engine stopped', { hint: 'run the query again' })
}

/**
 * Starts a process that cannot write files (by a limit that a shell sets, except on Windows), without environment
 * variables, connected only by the channel to this process.
 */
function startProcess(): ChildProcess {
  const command = [process.execPath, `--max-old-space-size=${ENGINE_HEAP_MB}`, program]
  const [file, args] =
    process.platform === 'win32'
      ? [process.execPath, command.slice(1)]
      : ['/bin/sh', ['-c', 'ulimit -f 0; ulimit -c 0; exec "$@"', 'sh', ...command]]
  return spawn(file, args, {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: {},
    serialization: 'advanced',
  })
}

async function startEngine(): Promise<Running> {
  const child = startProcess()
  let dead = false
  let failed: ((reason: unknown) => void) | undefined
  let received: ((response: Response) => void) | undefined
  const end = (reason: unknown) => {
    dead = true
    failed?.(reason)
  }
  child.once('error', (cause) =>
    end(new AkashiError('unavailable', 'the query engine did not start', { cause })),
  )
  child.once('exit', () => end(stopped()))
  child.on('message', (response: Response) => received?.(response))
  /** Responses are handled one after the other; the channel holds what is not handled yet. */
  const listen = <T>(
    begin: () => void,
    handle: (response: Response, resolve: (value: T) => void) => void | Promise<void>,
  ): Promise<T> => {
    if (dead) return Promise.reject(stopped())
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    let turn: Promise<void> = Promise.resolve()
    failed = reject
    received = (response) => {
      turn = turn.then(() => handle(response, resolve)).catch(reject)
    }
    child.ref()
    child.channel?.ref()
    begin()
    return promise.finally(() => {
      failed = undefined
      received = undefined
      child.unref()
      child.channel?.unref()
    })
  }
  const kill = (reason: unknown) => {
    end(reason)
    child.kill('SIGKILL')
  }
  const slow = setTimeout(
    () => kill(new AkashiError('timeout', 'the query engine did not start in time')),
    ENGINE_START_MS,
  )
  try {
    await listen<void>(
      () => undefined,
      (response, resolve) => {
        if (response.kind === 'ready') resolve()
      },
    )
  } finally {
    clearTimeout(slow)
  }
  return {
    get dead() {
      return dead
    },
    kill,
    ask: (request, last, onResponse) =>
      listen(
        () => child.send(request),
        async (response, resolve: (value: ResponseOf<typeof last>) => void) => {
          if (response.kind === 'error') throw engineError(response)
          if (isOf(response, last)) resolve(response)
          else await onResponse?.(response)
        },
      ),
  }
}

function isOf<K extends Response['kind']>(response: Response, kind: K): response is ResponseOf<K> {
  return response.kind === kind
}

function engineError({ error, message }: ResponseOf<'error'>): AkashiError {
  const [first = ''] = message.split('\n')
  switch (error) {
    case 'input':
      return new AkashiError('invalid_input', `the query failed: ${lowered(first)}`, {
        hint: 'use the SQL of DuckDB; docs/query.md lists the tables',
        detail: { message },
      })
    case 'refused':
      return new AkashiError('forbidden', `the query is not allowed: ${lowered(first)}`, {
        hint: 'write a single SELECT over the tables in docs/query.md',
      })
    case 'memory':
      return new AkashiError('too_large', 'the query needs more memory than allowed', {
        hint: 'restrict it by created_at, or select fewer columns',
      })
    case 'bytes':
      return new AkashiError('too_large', `the result has ${first}`, {
        hint: 'select fewer columns or rows, or write it to a file with --output',
      })
    case 'internal':
      return new AkashiError('integrity', 'a file of the archive cannot be read', {
        hint: 'run akashi archive verify',
        detail: { message: first },
      })
  }
}

/** DuckDB's messages begin with their kind. */
function lowered(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1).replace(/[.!]+$/, '')
}
