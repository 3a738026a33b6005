import { ActionIcon, Tooltip, UnstyledButton, useComputedColorScheme } from '@mantine/core'
import { IconActivity, IconKeyboard, IconMessageCircle, IconUserCircle } from '@tabler/icons-react'
import { type ReactNode, Suspense, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, NavLink, useLocation, useNavigate } from 'react-router'
import { useMay } from '../api/index.ts'
import { Logo } from '../ui/index.ts'
import { ErrorBoundary } from './error-boundary.tsx'
import { LanguageMenu } from './language-menu.tsx'
import classes from './layout.module.css'
import { Main } from './main.tsx'
import { PageLoader } from './page-loader.tsx'
import { useChooseScheme } from './preferences.ts'
import { SchemeMenu } from './scheme-menu.tsx'
import { ShortcutHelp } from './shortcut-help.tsx'
import { listenForShortcuts, useShortcuts } from './shortcuts.ts'
import { UserMenu } from './user-menu.tsx'

interface LayoutProps {
  readonly children: ReactNode
  /** Without navigation, for pages before the sign-in is complete. */
  readonly bare?: boolean
}

/** The bar at the top; below it the page, which scrolls by itself. */
export function Layout({ children, bare = false }: LayoutProps) {
  const { t } = useTranslation()
  const { pathname } = useLocation()
  const [helpOpen, setHelpOpen] = useState(false)
  useEffect(listenForShortcuts, [])
  useGeneralShortcuts(bare, () => setHelpOpen(true))
  const part = pathname.split('/')[1] ?? ''
  return (
    <div className={classes['frame']}>
      <a className={classes['skip']} href="#main">
        {t('common.skip')}
      </a>
      <header className={classes['bar']}>
        <UnstyledButton component={Link} to="/" className={classes['brand']} aria-label={t('nav.home')}>
          <Logo size={26} />
          <span className={classes['name']}>Akashi</span>
        </UnstyledButton>
        <nav aria-label={t('nav.label')} className={classes['places']}>
          {!bare && <Places />}
        </nav>
        <div className={classes['tools']}>
          {!bare && (
            <Tooltip label={t('shortcuts.title')}>
              <ActionIcon
                className={classes['wide'] ?? ''}
                variant="subtle"
                color="gray"
                size="lg"
                aria-label={t('shortcuts.title')}
                onClick={() => setHelpOpen(true)}
              >
                <IconKeyboard size={19} />
              </ActionIcon>
            </Tooltip>
          )}
          <LanguageMenu signedIn={!bare} />
          <SchemeMenu signedIn={!bare} />
          {!bare && <UserMenu />}
        </div>
      </header>
      <div className={classes['page']}>
        <ErrorBoundary resetKey={part}>
          <Suspense fallback={<PageLoader />}>{bare ? <Main>{children}</Main> : children}</Suspense>
        </ErrorBoundary>
      </div>
      <ShortcutHelp opened={helpOpen} onClose={() => setHelpOpen(false)} />
    </div>
  )
}

/** Permissions that give access to at least one screen of the console. */
const consolePermissions = [
  'audit_logs:read',
  'ledger:read',
  'events:read',
  'users:read',
  'roles:read',
  'backup:read',
  'archive:read',
  'lifecycle:read',
  'query:read',
  'jobs:read',
  'monitoring:read',
  'reports:read',
  'keys:read',
]

/** Where the person may go; the server decides about each request all the same. */
function usePlaces() {
  const may = useMay()
  return { chat: may('rooms:read'), console: consolePermissions.some(may) }
}

function Places() {
  const { t } = useTranslation()
  const places = usePlaces()
  return (
    <>
      {places.chat && (
        <NavItem to="/chat" label={t('nav.chat')} icon={<IconMessageCircle size={18} aria-hidden />} />
      )}
      {places.console && (
        <NavItem to="/console" label={t('nav.console')} icon={<IconActivity size={18} aria-hidden />} />
      )}
      <NavItem to="/account" label={t('nav.account')} icon={<IconUserCircle size={18} aria-hidden />} />
    </>
  )
}

interface NavItemProps {
  readonly to: string
  readonly label: string
  readonly icon: ReactNode
}

function NavItem({ to, label, icon }: NavItemProps) {
  return (
    <NavLink to={to} className={classes['place'] ?? ''}>
      {icon}
      <span>{label}</span>
    </NavLink>
  )
}

function useGeneralShortcuts(bare: boolean, showHelp: () => void): void {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const dark = useComputedColorScheme() === 'dark'
  const chooseScheme = useChooseScheme(!bare)
  const group = t('shortcuts.general')
  const always = [
    { keys: 'mod+/', label: t('shortcuts.help'), group, run: showHelp },
    { keys: '?', label: t('shortcuts.help'), group, run: showHelp },
    { keys: 'g d', label: t('shortcuts.scheme'), group, run: () => chooseScheme(dark ? 'light' : 'dark') },
  ]
  const signedIn = [
    { keys: 'g c', label: t('shortcuts.toChat'), group, run: () => void navigate('/chat') },
    { keys: 'g o', label: t('shortcuts.toConsole'), group, run: () => void navigate('/console') },
    { keys: 'g a', label: t('shortcuts.toAccount'), group, run: () => void navigate('/account') },
  ]
  useShortcuts(bare ? always : [...always, ...signedIn])
}
