import { Route, Routes } from 'react-router'
import { NotFound } from '../../shell/index.ts'
import { useTexts } from '../locales/index.ts'
import { Screen } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Tabs } from '../parts/tabs.tsx'
import { Cases } from './cases.tsx'
import { Matrix } from './matrix.tsx'
import { Queue } from './queue.tsx'
import { Rules } from './rules.tsx'

/** What the rules found, by finding and by case, and the rules themselves. */
export function Findings() {
  const t = useTexts()
  return (
    <Screen
      title={t('nav.findings')}
      lead={t('findings.lead')}
      actions={<ShowCommand cli="akashi detect findings" request="GET /v1/detection/findings?active=true" />}
    >
      <Tabs
        label={t('nav.findings')}
        tabs={[
          { to: '/console/findings', label: t('findings.queue') },
          { to: '/console/findings/cases', label: t('findings.cases') },
          { to: '/console/findings/rules', label: t('findings.rules') },
          { to: '/console/findings/matrix', label: t('findings.matrix') },
        ]}
      />
      <Routes>
        <Route index element={<Queue />} />
        <Route path="cases" element={<Cases />} />
        <Route path="rules" element={<Rules />} />
        <Route path="matrix" element={<Matrix />} />
        <Route path="*" element={<NotFound />} />
      </Routes>
    </Screen>
  )
}
