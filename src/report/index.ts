export type { ComplianceDocument } from './document.ts'
export { contentTypeOf, fileName } from './formats.ts'
export { type MadeReport, type MakeParts, makeReport } from './make.ts'
export { monthBefore, monthOf, parseMonth } from './month.ts'
export { reportVerifierKeys } from './note.ts'
export {
  checkReportFile,
  listReports,
  noteOf,
  type ReportSummary,
  readReport,
  readReportFile,
  readSummary,
} from './reports.ts'
