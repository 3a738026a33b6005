import {
  IconDevices,
  IconFileCertificate,
  IconHandStop,
  IconShieldLock,
  IconUserCircle,
} from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { Navigate, NavLink, Route, Routes } from 'react-router'
import { NotFound } from '../shell/index.ts'
import classes from './account.module.css'
import { PrivacyPage } from './privacy.tsx'
import { ProfilePage } from './profile.tsx'
import { RecordPage } from './record.tsx'
import { SecurityPage } from './security.tsx'
import { SessionsPage } from './sessions.tsx'

const sections = [
  ['profile', IconUserCircle],
  ['security', IconShieldLock],
  ['sessions', IconDevices],
  ['privacy', IconHandStop],
  ['record', IconFileCertificate],
] as const

/** What people see and change of themselves. */
export default function Account() {
  const { t } = useTranslation()
  return (
    <div className={classes['account']}>
      <nav aria-label={t('account.sections')} className={classes['sections']}>
        {sections.map(([section, Icon]) => (
          <NavLink key={section} to={`/account/${section}`} className={classes['section'] ?? ''}>
            <Icon size={18} aria-hidden />
            {t(`account.${section}`)}
          </NavLink>
        ))}
      </nav>
      <div className={classes['content']}>
        <Routes>
          <Route index element={<Navigate replace to="/account/profile" />} />
          <Route path="profile" element={<ProfilePage />} />
          <Route path="security" element={<SecurityPage />} />
          <Route path="sessions" element={<SessionsPage />} />
          <Route path="privacy" element={<PrivacyPage />} />
          <Route path="record" element={<RecordPage />} />
          <Route path="*" element={<NotFound />} />
        </Routes>
      </div>
    </div>
  )
}
