/** Prisma with its driver adapter: `new PrismaPg(withContext(new pg.Pool(…), { key }))`. */
import type { Executor } from '../executor.ts'

export { type ContextOptions, withContext } from '../pg/index.ts'

/** Runs statements of this package's functions in a client or in the client of an interactive transaction. */
export function executor(prisma: {
  $queryRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown>
}): Executor {
  return {
    query: async (text, values) => ({ rows: (await prisma.$queryRawUnsafe(text, ...values)) as unknown[] }),
  }
}
