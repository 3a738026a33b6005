import { z } from 'zod'
import { logNamed, proveRow, readLogHeads, staticResource } from '../../audit/index.ts'
import { route } from '../route.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const heads = z.object({
  logs: z.array(
    z.object({
      log: z.string(),
      origin: z.string(),
      size: z.string().describe('entries, a decimal'),
      root: z.string().describe('base64'),
      checkpoint: z.string().nullable().describe('signed note; null before the first entry'),
    }),
  ),
})

/** The ledger: heads, proofs, and the static paths that C2SP tlog-tiles clients read. */
export function ledgerRoutes(app: App, { trail }: Services): void {
  route(app, {
    method: 'GET',
    url: '/ledger',
    access: { permission: 'ledger:read' },
    schema: {
      summary: 'The logs and their signed heads',
      tags: ['ledger'],
      response: { 200: heads },
    },
    handle: async () => ({
      logs: (await readLogHeads(trail)).map(({ log, origin, size, root, note }) => ({
        log,
        origin,
        size: size.toString(),
        root: root.toString('base64'),
        checkpoint: note,
      })),
    }),
  })
  route(app, {
    method: 'GET',
    url: '/ledger/:log/proofs/:row',
    access: { permission: 'ledger:read' },
    schema: {
      summary: 'A proof of one row, to be checked with the public key alone',
      tags: ['ledger'],
      params: z.strictObject({ log: z.string(), row: z.string() }),
      response: {
        200: z.record(z.string(), z.unknown()),
      },
    },
    handle: async (request) => ({
      ...(await proveRow(trail, logNamed(request.params.log), request.params.row, request.actor)),
    }),
  })
  route(app, {
    method: 'GET',
    url: '/ledger/:log/*',
    access: { permission: 'ledger:read' },
    schema: {
      summary: 'checkpoint, tile/<level>/<index> and tile/entries/<index>, as C2SP tlog-tiles lays them out',
      tags: ['ledger'],
      params: z.strictObject({ log: z.string(), '*': z.string() }),
      response: {
        200: z.unknown().describe('a signed note, hashes or entries'),
      },
    },
    handle: async (request, reply) => {
      const { bytes, contentType, cacheControl } = await staticResource(
        trail,
        logNamed(request.params.log),
        request.params['*'],
      )
      return reply.header('cache-control', cacheControl).type(contentType).send(bytes)
    },
  })
}
