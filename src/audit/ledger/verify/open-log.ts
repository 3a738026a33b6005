import type { Session } from '../../../postgres/index.ts'
import { epochKeys } from '../epoch/keys.ts'
import { readEpochs } from '../epoch/link.ts'
import type { LogDefinition } from '../logs.ts'
import { headToVerify } from './head.ts'
import type { LogVerification } from './log-verification.ts'
import type { VerifyOptions } from './options.ts'
import { ProblemList } from './problems.ts'

/** Reads head and epochs, and limits the keys to those that may sign in each epoch. */
export async function openLog<Options extends VerifyOptions>(
  session: Session,
  log: LogDefinition,
  given: Options,
  problems = new ProblemList(),
): Promise<LogVerification & { readonly options: Options }> {
  const head = await headToVerify(session, log)
  const epochs = await readEpochs(session, head.log)
  const keys = await epochKeys(head, epochs, given.verifierKeys, new Date())
  if (keys.problem !== null) problems.add('checkpoint', head.size, head.origin, keys.problem)
  return { session, log, head, epochs, options: { ...given, verifierKeys: keys.verifierKeys }, problems }
}
