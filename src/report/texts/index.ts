import type { ReportLanguage } from '@akashi/contract'
import { en } from './en.ts'
import { ja } from './ja.ts'
import type { Texts } from './texts.ts'

export const texts: Readonly<Record<ReportLanguage, Texts>> = { ja, en }
export type { ControlText, Texts } from './texts.ts'
