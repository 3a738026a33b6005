import { given, uuidV7 } from '../foundation/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Database } from '../postgres/index.ts'
import type { ComplianceDocument } from './document.ts'
import { render } from './formats.ts'
import { type GatherParts, gather } from './gather.ts'
import { type ReportFile, reportSigner, sha256, signReport } from './note.ts'

export interface MakeParts extends GatherParts {
  /** Of the role `worker`. */
  readonly worker: Database
  readonly store: ObjectStore
}

export interface MadeReport {
  readonly document: ComplianceDocument
  readonly files: readonly ReportFile[]
  readonly note: string
  /** The files by name. */
  readonly contents: ReadonlyMap<string, Buffer>
}

/**
 * Measures, renders, signs and keeps a report, in the object store first: a row names only what is stored. The
 * trail records the row with the digests, and the ledger seals that.
 *
 * @param month YYYY-MM; undefined for the one that ended last
 */
export async function makeReport(parts: MakeParts, month?: string): Promise<MadeReport> {
  const { worker, keyring, store, clock, actor, signal } = parts
  const id = uuidV7(clock.now())
  const { keyId, key } = await reportSigner(keyring)
  const document = await gather(parts, month, { id, signer: key })
  const contents = await render(document)
  const files = [...contents].map(
    ([name, bytes]): ReportFile => ({
      name,
      sha256: sha256(bytes),
      bytes: bytes.length,
      object: `reports/${document.month}/${id}/${name}`,
    }),
  )
  const note = await signReport(keyring, keyId, document, files)
  for (const { name, sha256: digest, object } of files) {
    const bytes = contents.get(name)
    if (bytes !== undefined)
      await store.put(object, bytes, { ifAbsent: true, sha256: digest, ...given({ signal }) })
  }
  await store.put(`reports/${document.month}/${id}/report.note`, Buffer.from(note), {
    ifAbsent: true,
    ...given({ signal }),
  })
  const { month: of, from, until, verdict } = document
  await worker.transaction(
    actor,
    (session) =>
      session.query(
        `insert into akashi_security.compliance_reports (id, month, covers_from, covers_until, verdict, document, files, note)
         values ($1, $2, $3, $4, $5, $6, $7, $8)`,
        [id, of, from, until, verdict, JSON.stringify(document), JSON.stringify(files), note],
      ),
    given({ signal }),
  )
  return { document, files, note, contents }
}
