/** The signed head of a log. */
import { AkashiError } from '../../../foundation/index.ts'
import { type VerifierKey, verifyNote } from '../../../keys/index.ts'
import type { Session } from '../../../postgres/index.ts'
import { type Checkpoint, parseCheckpoint } from '../checkpoint.ts'
import type { LogDefinition } from '../logs.ts'
import { emptyRoot } from '../merkle.ts'
import { type Head, readHead } from '../store.ts'
import type { LogVerification } from './log-verification.ts'
import type { VerifyOptions } from './options.ts'

/** The stored head, or that of an empty log. */
export async function headToVerify(session: Session, log: LogDefinition): Promise<Head> {
  // The transaction is idle while an archived object is read, which may take long.
  // JIT compilation takes a second for each statement and saves less, since hash functions are compiled already.
  await session.query(
    "select akashi_audit.assert_unfiltered($1::regclass), set_config('jit', 'off', true), set_config('idle_in_transaction_session_timeout', '0', true)",
    [`${log.schema}.${log.table}`],
  )
  return (
    (await readHead(session, log.log)) ?? {
      log: log.log,
      epoch: 1,
      origin: '',
      size: 0n,
      root: emptyRoot,
      note: null,
      lastXid: '0',
      lastSeq: '0',
      seqFloor: '0',
      systemIdentifier: null,
      timeline: null,
      sealedAt: null,
    }
  )
}

/** The head must be the signed checkpoint. */
export async function verifyHead({ head, options, problems }: LogVerification): Promise<void> {
  if (head.note === null) {
    if (head.size !== 0n) problems.add('checkpoint', head.size, head.origin, 'the head is not signed')
    return
  }
  const signed = await signedCheckpoint(head.note, head.origin, options)
  if (typeof signed === 'string') {
    problems.add('checkpoint', head.size, head.origin, `the signature of the head does not verify: ${signed}`)
  } else if (signed.origin !== head.origin || signed.size !== head.size || !signed.root.equals(head.root)) {
    problems.add(
      'checkpoint',
      head.size,
      head.origin,
      `the head differs from the signed checkpoint (size ${signed.size})`,
    )
  }
}

/** The checkpoint of a note that the log of `origin` signed, or why it is not valid. */
export async function signedCheckpoint(
  note: string,
  origin: string,
  { verifierKeys }: Pick<VerifyOptions, 'verifierKeys'>,
): Promise<Checkpoint | string> {
  try {
    const keys: readonly VerifierKey[] = origin === '' ? [] : await verifierKeys(origin)
    return parseCheckpoint(verifyNote(note, keys).text)
  } catch (error) {
    if (!(error instanceof AkashiError)) throw error
    return error.message
  }
}
