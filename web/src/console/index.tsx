import { IconWorld } from '@tabler/icons-react'
import { Fragment, type ReactNode, useEffect, useRef } from 'react'
import { Navigate, NavLink, Route, Routes, useLocation } from 'react-router'
import { useMay } from '../api/index.ts'
import { lazily, Main, NotFound } from '../shell/index.ts'
import '../theme/tones.css'
import classes from './console.module.css'
import { useTexts } from './locales/index.ts'
import { sections } from './sections.ts'

const Overview = lazily(async () => (await import('./overview/index.tsx')).Overview)
const Audit = lazily(async () => (await import('./audit/index.tsx')).Audit)
const Proofs = lazily(async () => (await import('./proofs/index.tsx')).Proofs)
const Findings = lazily(async () => (await import('./findings/index.tsx')).Findings)
const Events = lazily(async () => (await import('./events/index.tsx')).Events)
const Access = lazily(async () => (await import('./access/index.tsx')).Access)
const Lifecycle = lazily(async () => (await import('./lifecycle/index.tsx')).Lifecycle)
const Query = lazily(async () => (await import('./query/index.tsx')).Query)
const Backups = lazily(async () => (await import('./backups/index.tsx')).Backups)
const Operations = lazily(async () => (await import('./operations/index.tsx')).Operations)

type Path = (typeof sections)[number]['path']

const screens: Readonly<Record<Path, ReactNode>> = {
  overview: <Overview />,
  audit: <Audit />,
  proofs: <Proofs />,
  findings: <Findings />,
  events: <Events />,
  access: <Access />,
  lifecycle: <Lifecycle />,
  query: <Query />,
  backups: <Backups />,
  operations: <Operations />,
}

/** The console of the people who are responsible for the database, at /console and below. */
export function Console() {
  const t = useTexts()
  const may = useMay()
  const { pathname } = useLocation()
  const nav = useRef<HTMLElement>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the address decides which section is current
  useEffect(() => {
    // On a phone the sections are tabs in one row, wider than the screen.
    nav.current
      ?.querySelector('[aria-current="page"]')
      ?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [pathname])
  const shown = sections.filter(({ any }) => any.length === 0 || any.some(may))
  // The overview alone shows nothing.
  if (shown.length < 2) {
    return (
      <Main>
        <NotFound />
      </Main>
    )
  }
  return (
    <div className={classes['console']}>
      <nav ref={nav} aria-label={t('nav.label')} className={classes['sections']}>
        {shown.map(({ path, group, Icon }, index) => (
          <Fragment key={path}>
            {shown[index - 1]?.group !== group && (
              <div className={classes['group']}>{t(`nav.groups.${group}`)}</div>
            )}
            <NavLink to={`/console/${path}`} className={classes['section'] ?? ''}>
              <Icon size={18} aria-hidden />
              {t(`nav.${path}`)}
            </NavLink>
          </Fragment>
        ))}
        <a href="/status/" className={`${classes['section']} ${classes['outside']}`}>
          <IconWorld size={18} aria-hidden />
          {t('nav.status')}
        </a>
      </nav>
      <Main className={classes['content']}>
        <Routes>
          <Route index element={<Navigate replace to="/console/overview" />} />
          {shown.map(({ path }) => (
            <Route key={path} path={`${path}/*`} element={screens[path]} />
          ))}
          <Route path="*" element={<NotFound />} />
        </Routes>
      </Main>
    </div>
  )
}
