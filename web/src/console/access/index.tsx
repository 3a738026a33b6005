import { Route, Routes } from 'react-router'
import { useMay } from '../../api/index.ts'
import { NotFound } from '../../shell/index.ts'
import { useTexts } from '../locales/index.ts'
import { Screen } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Tabs } from '../parts/tabs.tsx'
import { ApiKeys } from './api-keys.tsx'
import { Approvals } from './approvals.tsx'
import { RoleMatrix } from './role-matrix.tsx'
import { Users } from './users.tsx'

/** Who may do what: users, roles, keys, and what waits for a second person. */
export function Access() {
  const t = useTexts()
  const may = useMay()
  const tabs = [
    { path: '', label: t('access.users'), shown: may('users:read'), element: <Users /> },
    { path: 'roles', label: t('access.roles'), shown: may('roles:read'), element: <RoleMatrix /> },
    { path: 'keys', label: t('access.keys'), shown: may('api_keys:read'), element: <ApiKeys /> },
    { path: 'approvals', label: t('access.approvals'), shown: may('approvals:read'), element: <Approvals /> },
  ].filter(({ shown }) => shown)
  return (
    <Screen
      title={t('nav.access')}
      lead={t('access.lead')}
      actions={<ShowCommand cli="akashi users list" request="GET /v1/users" />}
    >
      <Tabs
        label={t('nav.access')}
        tabs={tabs.map(({ path, label }) => ({
          to: path === '' ? '/console/access' : `/console/access/${path}`,
          label,
        }))}
      />
      <Routes>
        {tabs.map(({ path, element }) =>
          path === '' ? (
            <Route key={path} index element={element} />
          ) : (
            <Route key={path} path={path} element={element} />
          ),
        )}
        <Route path="*" element={<NotFound />} />
      </Routes>
    </Screen>
  )
}
