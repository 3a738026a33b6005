import {
  IconDatabaseCog,
  IconHistory,
  IconKey,
  IconShieldCheck,
  IconTestPipe,
  IconUserShield,
} from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { call, useMay } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { type ConsoleTexts, useTexts } from '../locales/index.ts'
import { Empty, Placeholder } from '../parts/state.tsx'
import { backupsQuery, drillsQuery, statusQuery } from '../queries.ts'
import classes from './recent.module.css'

interface Happening {
  readonly key: string
  readonly at: string
  readonly text: string
  readonly to: string
  readonly Icon: typeof IconHistory
  readonly bad?: boolean
}

const SHOWN = 12
/** Kinds of actions of the trail that change how the system works. */
const notable = {
  catalog_recorded: IconDatabaseCog,
  context_key_added: IconKey,
  role_granted: IconUserShield,
} as const

/** What changed the system lately: backups, drills, verifications, migrations, keys and roles. */
export function Recent() {
  const t = useTexts()
  const may = useMay()
  const status = useQuery({ ...statusQuery, enabled: may('ledger:read') })
  const backups = useQuery({ ...backupsQuery, enabled: may('backup:read') })
  const drills = useQuery({ ...drillsQuery, enabled: may('backup:read') })
  const actions = useQuery({
    queryKey: ['console', 'notable'],
    queryFn: ({ signal }) =>
      Promise.all(
        (Object.keys(notable) as (keyof typeof notable)[]).map(async (eventType) => ({
          eventType,
          rows: (await call('GET /v1/audit/logs', { query: { eventType, limit: SHOWN }, signal })).rows,
        })),
      ),
    enabled: may('audit_logs:read'),
  })
  const last = status.data?.lastVerification
  const happenings: Happening[] = [
    ...(last === null || last === undefined ? [] : [verification(t, last)]),
    ...(backups.data?.backups ?? []).map(({ id, kind, stoppedAt }) => ({
      key: id,
      at: stoppedAt,
      text: t(`overview.happened.${kind}`),
      to: '/console/backups',
      Icon: IconHistory,
    })),
    ...(drills.data?.drills ?? []).map(({ id, ok, finishedAt }) => ({
      key: id,
      at: finishedAt,
      text: t(ok ? 'overview.happened.drillPassed' : 'overview.happened.drillFailed'),
      to: '/console/backups/drills',
      Icon: IconTestPipe,
      bad: !ok,
    })),
    ...(actions.data ?? []).flatMap(({ eventType, rows }) => collapse(t, eventType, rows)),
  ]
  const shown = happenings.sort((one, other) => other.at.localeCompare(one.at)).slice(0, SHOWN)
  const isReading = [status, backups, drills, actions].some(({ isLoading }) => isLoading)
  if (shown.length === 0 && isReading) return <Placeholder rows={4} />
  if (shown.length === 0) return <Empty title={t('overview.nothingHappened')} />
  return (
    <ol className={classes['list']}>
      {shown.map(({ key, at, text, to, Icon, bad = false }) => (
        <li key={key} className={classes['item']} data-bad={bad || undefined}>
          <Icon size={17} aria-hidden />
          <Link to={to} className={classes['text'] ?? ''}>
            {text}
          </Link>
          <time dateTime={at} className={classes['at']}>
            {moment(at)}
          </time>
        </li>
      ))}
    </ol>
  )
}

function verification(t: ConsoleTexts, { at, ok }: { readonly at: string; readonly ok: boolean }): Happening {
  return {
    key: `verification-${at}`,
    at,
    text: t(ok ? 'overview.happened.verified' : 'overview.happened.verificationFailed'),
    to: '/console/proofs',
    Icon: IconShieldCheck,
    bad: !ok,
  }
}

type Row = Readonly<Record<string, unknown>>

/** One entry for the rows of one minute: a migration records each table that it touches. */
function collapse(t: ConsoleTexts, eventType: keyof typeof notable, rows: readonly Row[]): Happening[] {
  const MINUTE = 'yyyy-mm-ddThh:mm'.length
  const minutes = Map.groupBy(rows, ({ createdAt }) => String(createdAt).slice(0, MINUTE))
  return [...minutes.values()].map((group) => {
    const [row = {}] = group
    const at = String(row['createdAt'])
    return {
      key: String(row['id']),
      at,
      text: t(`overview.happened.${eventType}`, { count: group.length }),
      to: `/console/audit?eventType=${eventType}&period=90d`,
      Icon: notable[eventType],
    }
  })
}
