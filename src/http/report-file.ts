import type { FastifyReply } from 'fastify'
import type { Actor } from '../postgres/index.ts'
import { contentTypeOf, fileName, readReport, readReportFile } from '../report/index.ts'
import { sendAttachment } from './attachment.ts'
import { callerSignal } from './plugins/caller-signal.ts'
import type { Services } from './services.ts'

/** Sends a report as a file, to whoever may read it. @throws AkashiError not_found */
export async function sendReportFile(
  reply: FastifyReply,
  { securityAdmin, store }: Pick<Services, 'securityAdmin' | 'store'>,
  actor: Actor,
  id: string,
  {
    format,
    lang,
  }: { readonly format: Parameters<typeof fileName>[0]; readonly lang: Parameters<typeof fileName>[1] },
): Promise<FastifyReply> {
  const report = await readReport(securityAdmin, actor, id)
  const name = fileName(format, lang)
  const bytes = await readReportFile(store, report, name, callerSignal(reply))
  return sendAttachment(reply, { name: `${report.month}-${name}`, type: contentTypeOf(format) }, bytes)
}
