import { logNamed, proveRow, readLogHeads, staticResource, verifierKeys } from '../../audit/index.ts'
import { formatVerifierKey } from '../../keys/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** The ledger: heads, proofs, and the static paths of C2SP tlog-tiles. */
export function ledgerRoutes(app: App, { securityAdmin, keyring }: Services): void {
  operation(app, 'GET /v1/ledger', {
    access: { permission: 'ledger:read' },
    handle: async ({ actor }) => {
      const heads = await readLogHeads(securityAdmin, actor)
      return {
        logs: await Promise.all(
          heads.map(async ({ log, origin, size, root, note }) => ({
            log,
            origin,
            size: size.toString(),
            root: root.toString('base64'),
            checkpoint: note,
            keys: (await verifierKeys(keyring)(origin)).map((key) => formatVerifierKey(key)),
          })),
        ),
      }
    },
  })
  operation(app, 'GET /v1/ledger/{log}/proofs/{row}', {
    access: { permission: 'ledger:read', ofLog: true, reads: '*' },
    budget: { requests: 300, seconds: 60 },
    handle: (request) =>
      proveRow(securityAdmin, request.actor, logNamed(request.params.log), request.params.row),
  })
  operation(app, 'GET /v1/ledger/{log}/{*}', {
    access: { permission: 'ledger:read' },
    handle: async (request, reply) => {
      const { bytes, contentType, cacheControl } = await staticResource(
        securityAdmin,
        request.actor,
        logNamed(request.params.log),
        request.params['*'],
      )
      return reply.header('cache-control', cacheControl).type(contentType).send(bytes)
    },
  })
}
