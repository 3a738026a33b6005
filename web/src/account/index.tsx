import {
  IconDevices,
  IconFileCertificate,
  IconHandStop,
  IconShieldLock,
  IconUserCircle,
} from '@tabler/icons-react'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { Navigate, NavLink, Route, Routes, useLocation } from 'react-router'
import { Main, NotFound } from '../shell/index.ts'
import classes from './account.module.css'
import { PrivacyPage } from './privacy.tsx'
import { ProfilePage } from './profile.tsx'
import { RecordPage } from './record-page.tsx'
import { SecurityPage } from './security.tsx'
import { SessionsPage } from './sessions.tsx'

const sections = [
  ['profile', IconUserCircle],
  ['security', IconShieldLock],
  ['sessions', IconDevices],
  ['privacy', IconHandStop],
  ['activity', IconFileCertificate],
] as const

/** The account's settings, at /account and below. */
export function Account() {
  const { t } = useTranslation()
  const { pathname } = useLocation()
  const nav = useRef<HTMLElement>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the address decides which section is current
  useEffect(() => {
    // On a phone the sections are tabs in one row, wider than the screen.
    nav.current
      ?.querySelector('[aria-current="page"]')
      ?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [pathname])
  return (
    <div className={classes['account']}>
      <nav ref={nav} aria-label={t('account.sections')} className={classes['sections']}>
        {sections.map(([section, Icon]) => (
          <NavLink key={section} to={`/account/${section}`} className={classes['section'] ?? ''}>
            <Icon size={18} aria-hidden />
            {t(`account.${section}`)}
          </NavLink>
        ))}
      </nav>
      <Main className={classes['content']}>
        <Routes>
          <Route index element={<Navigate replace to="/account/profile" />} />
          <Route path="profile" element={<ProfilePage />} />
          <Route path="security" element={<SecurityPage />} />
          <Route path="sessions" element={<SessionsPage />} />
          <Route path="privacy" element={<PrivacyPage />} />
          <Route path="activity" element={<RecordPage />} />
          <Route path="*" element={<NotFound />} />
        </Routes>
      </Main>
    </div>
  )
}
