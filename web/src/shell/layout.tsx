import { ActionIcon, Tooltip, UnstyledButton, useMantineColorScheme } from '@mantine/core'
import { IconKeyboard, IconMessageCircle, IconUserCircle } from '@tabler/icons-react'
import { type ReactNode, Suspense, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, NavLink, useLocation, useNavigate } from 'react-router'
import { Mark } from '../ui/index.ts'
import { ErrorBoundary } from './error-boundary.tsx'
import { LanguageMenu } from './language-menu.tsx'
import classes from './layout.module.css'
import { SchemeMenu } from './scheme-menu.tsx'
import { ShortcutHelp } from './shortcut-help.tsx'
import { listenForShortcuts, useShortcuts } from './shortcuts.ts'
import { UserMenu } from './user-menu.tsx'
import { Waiting } from './waiting.tsx'

interface LayoutProps {
  readonly children: ReactNode
  /** Without places to go to: nobody is signed in yet. */
  readonly bare?: boolean
}

/** The bar at the top; below it the page, which scrolls within itself. */
export function Layout({ children, bare = false }: LayoutProps) {
  const { t } = useTranslation()
  const { pathname } = useLocation()
  const [helpOpen, setHelpOpen] = useState(false)
  useEffect(listenForShortcuts, [])
  useGeneralShortcuts(bare, () => setHelpOpen(true))
  const place = pathname.split('/')[1] ?? ''
  return (
    <div className={classes['frame']}>
      <a className={classes['skip']} href="#main">
        {t('common.skip')}
      </a>
      <header className={classes['bar']}>
        <UnstyledButton component={Link} to="/" className={classes['brand']} aria-label={t('nav.home')}>
          <Mark size={26} />
          <span className={classes['name']}>Akashi</span>
        </UnstyledButton>
        <nav aria-label={t('nav.label')} className={classes['places']}>
          {!bare && (
            <>
              <Place to="/chat" label={t('nav.chat')} icon={<IconMessageCircle size={18} aria-hidden />} />
              <Place to="/account" label={t('nav.account')} icon={<IconUserCircle size={18} aria-hidden />} />
            </>
          )}
        </nav>
        <div className={classes['tools']}>
          {!bare && (
            <Tooltip label={`${t('shortcuts.open')} (?)`}>
              <ActionIcon
                className={classes['wide'] ?? ''}
                variant="subtle"
                color="gray"
                size="lg"
                aria-label={t('shortcuts.open')}
                onClick={() => setHelpOpen(true)}
              >
                <IconKeyboard size={19} />
              </ActionIcon>
            </Tooltip>
          )}
          <LanguageMenu signedIn={!bare} />
          <SchemeMenu />
          {!bare && <UserMenu />}
        </div>
      </header>
      <main id="main" tabIndex={-1} className={classes['page']}>
        <ErrorBoundary resetKey={place}>
          <Suspense fallback={<Waiting />}>{children}</Suspense>
        </ErrorBoundary>
      </main>
      <ShortcutHelp opened={helpOpen} onClose={() => setHelpOpen(false)} />
    </div>
  )
}

interface PlaceProps {
  readonly to: string
  readonly label: string
  readonly icon: ReactNode
}

function Place({ to, label, icon }: PlaceProps) {
  return (
    <NavLink to={to} className={classes['place'] ?? ''} aria-label={label}>
      {icon}
      <span className={classes['wide']}>{label}</span>
    </NavLink>
  )
}

function useGeneralShortcuts(bare: boolean, showHelp: () => void): void {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const { toggleColorScheme } = useMantineColorScheme()
  const group = t('shortcuts.general')
  const always = [
    { keys: '?', label: t('shortcuts.help'), group, act: showHelp },
    { keys: 'g d', label: t('shortcuts.scheme'), group, act: toggleColorScheme },
  ]
  const inside = [
    { keys: 'g c', label: t('shortcuts.toChat'), group, act: () => void navigate('/chat') },
    { keys: 'g a', label: t('shortcuts.toAccount'), group, act: () => void navigate('/account') },
  ]
  useShortcuts(bare ? always : [...always, ...inside])
}
