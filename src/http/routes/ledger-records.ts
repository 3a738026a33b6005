import { listChain, listCosignatures, listEpochs, listRetentionRecords } from '../../audit/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Epochs, cosignatures, retention records and entries of a log, in pages, oldest first. */
export function ledgerRecordRoutes(app: App, { securityAdmin }: Services): void {
  operation(app, 'GET /v1/ledger/{log}/epochs', {
    access: { permission: 'ledger:read' },
    handle: ({ actor, params, query }) => listEpochs(securityAdmin, actor, { ...params, ...query }),
  })
  operation(app, 'GET /v1/ledger/{log}/cosignatures', {
    access: { permission: 'ledger:read' },
    handle: ({ actor, params, query }) => listCosignatures(securityAdmin, actor, { ...params, ...query }),
  })
  operation(app, 'GET /v1/ledger/{log}/retention', {
    access: { permission: 'ledger:read' },
    handle: ({ actor, params, query }) => listRetentionRecords(securityAdmin, actor, { ...params, ...query }),
  })
  operation(app, 'GET /v1/ledger/{log}/chain', {
    access: { permission: 'ledger:read', ofLog: true },
    handle: ({ actor, params, query }) => listChain(securityAdmin, actor, { ...params, ...query }),
  })
}
