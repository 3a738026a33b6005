import { Route, Routes } from 'react-router'
import { NotFound } from '../../shell/index.ts'
import { useTexts } from '../locales/index.ts'
import { Screen } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Tabs } from '../parts/tabs.tsx'
import { BackupList } from './backup-list.tsx'
import { Drills } from './drills.tsx'
import { RestorePanel } from './restore-panel.tsx'
import { Runs } from './runs.tsx'

/** Whether and to when the database can go back, what is kept for it, and how that was tested. */
export function Backups() {
  const t = useTexts()
  return (
    <Screen
      title={t('nav.backups')}
      lead={t('backups.lead')}
      actions={<ShowCommand cli="akashi backup list" request="GET /v1/backups" />}
    >
      <Tabs
        label={t('nav.backups')}
        tabs={[
          { to: '/console/backups', label: t('backups.window') },
          { to: '/console/backups/drills', label: t('backups.drills') },
          { to: '/console/backups/runs', label: t('backups.runs') },
        ]}
      />
      <Routes>
        <Route
          index
          element={
            <>
              <RestorePanel />
              <BackupList />
            </>
          }
        />
        <Route path="drills" element={<Drills />} />
        <Route path="runs" element={<Runs />} />
        <Route path="*" element={<NotFound />} />
      </Routes>
    </Screen>
  )
}
