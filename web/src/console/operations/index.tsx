import type { ReactNode } from 'react'
import { Navigate, Route, Routes } from 'react-router'
import { useMay } from '../../api/index.ts'
import { lazily, NotFound } from '../../shell/index.ts'
import { useTexts } from '../locales/index.ts'
import { Screen } from '../parts/screen.tsx'
import { Tabs } from '../parts/tabs.tsx'
import { Health } from './health.tsx'

const Alarms = lazily(async () => (await import('./alarms.tsx')).Alarms)
const Doctor = lazily(async () => (await import('./doctor.tsx')).Doctor)
const Jobs = lazily(async () => (await import('./jobs.tsx')).Jobs)
const Reports = lazily(async () => (await import('./reports.tsx')).Reports)
const ReportPage = lazily(async () => (await import('./report-page.tsx')).ReportPage)
const Keys = lazily(async () => (await import('./keys.tsx')).Keys)
const Witnesses = lazily(async () => (await import('./witnesses.tsx')).Witnesses)
const Evidence = lazily(async () => (await import('./evidence.tsx')).Evidence)
const Cost = lazily(async () => (await import('./cost.tsx')).Cost)

/** The pages in the order of their tabs; each requires one of its permissions. */
const pages = [
  { name: 'health', any: ['ledger:read', 'audit_logs:read'], page: <Health /> },
  { name: 'alarms', any: ['monitoring:read'], page: <Alarms /> },
  { name: 'doctor', any: ['monitoring:read'], page: <Doctor /> },
  { name: 'jobs', any: ['jobs:read'], page: <Jobs /> },
  { name: 'reports', any: ['reports:read'], page: <Reports /> },
  { name: 'evidence', any: ['evidence:read'], page: <Evidence /> },
  { name: 'keys', any: ['keys:read', 'ledger:read'], page: <Keys /> },
  { name: 'witnesses', any: ['ledger:read'], page: <Witnesses /> },
  { name: 'cost', any: ['lifecycle:read'], page: <Cost /> },
] as const satisfies readonly { name: string; any: readonly string[]; page: ReactNode }[]

/** What is running, what failed, and the state of the infrastructure. */
export function Operations() {
  const t = useTexts()
  const may = useMay()
  const shown = pages.filter(({ any }) => any.some(may))
  const [first] = shown
  return (
    <Screen title={t('nav.operations')} lead={t('operations.lead')}>
      <Tabs
        label={t('nav.operations')}
        nested={[pathOf('reports')]}
        tabs={shown.map(({ name }) => ({ to: pathOf(name), label: t(`operations.pages.${name}`) }))}
      />
      <Routes>
        {shown.map(({ name, page }) =>
          name === 'health' ? (
            <Route key={name} index element={page} />
          ) : (
            <Route key={name} path={name} element={page} />
          ),
        )}
        {first !== undefined && first.name !== 'health' && (
          <Route index element={<Navigate replace to={pathOf(first.name)} />} />
        )}
        {shown.some(({ name }) => name === 'reports') && (
          <Route path="reports/:reportId" element={<ReportPage />} />
        )}
        <Route path="*" element={<NotFound />} />
      </Routes>
    </Screen>
  )
}

function pathOf(name: (typeof pages)[number]['name']): string {
  return name === 'health' ? '/console/operations' : `/console/operations/${name}`
}
