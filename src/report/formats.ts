import { type ReportFormat, type ReportLanguage, reportLanguages } from '@akashi/contract'
import type { ComplianceDocument } from './document.ts'
import { toHtml } from './html.ts'
import { layOut } from './layout.ts'
import { toPdf } from './pdf.ts'

const contentTypes: Readonly<Record<ReportFormat, string>> = {
  json: 'application/json; charset=utf-8',
  html: 'text/html; charset=utf-8',
  pdf: 'application/pdf',
}

/** The JSON has no language. */
export function fileName(format: ReportFormat, language: ReportLanguage): string {
  return format === 'json' ? 'report.json' : `report.${language}.${format}`
}

export function contentTypeOf(format: ReportFormat): string {
  return contentTypes[format]
}

/** Every file of a report by name. */
export async function render(document: ComplianceDocument): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>([
    [fileName('json', 'en'), Buffer.from(`${JSON.stringify(document, null, 2)}\n`)],
  ])
  for (const language of reportLanguages) {
    const printed = layOut(document, language)
    files.set(fileName('html', language), Buffer.from(toHtml(printed)))
    files.set(fileName('pdf', language), await toPdf(printed))
  }
  return files
}
