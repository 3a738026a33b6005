import {
  IconActivityHeartbeat,
  IconAlertTriangle,
  IconDatabaseExport,
  IconFileSearch,
  IconHistory,
  IconLayoutDashboard,
  type IconListDetails,
  IconShieldCheck,
  IconShieldExclamation,
  IconTerminal2,
  IconUsers,
} from '@tabler/icons-react'

/** The console's sections, the permission that each needs, and under which heading the menu lists it. */
export const sections = [
  { path: 'overview', group: 'watch', Icon: IconLayoutDashboard, any: [] },
  { path: 'audit', group: 'watch', Icon: IconFileSearch, any: ['audit_logs:read'] },
  { path: 'proofs', group: 'watch', Icon: IconShieldCheck, any: ['ledger:read'] },
  { path: 'findings', group: 'watch', Icon: IconAlertTriangle, any: ['events:read'] },
  { path: 'events', group: 'watch', Icon: IconShieldExclamation, any: ['events:read'] },
  { path: 'access', group: 'govern', Icon: IconUsers, any: ['users:read'] },
  { path: 'lifecycle', group: 'govern', Icon: IconDatabaseExport, any: ['archive:read', 'lifecycle:read'] },
  { path: 'query', group: 'govern', Icon: IconTerminal2, any: ['query:read'] },
  { path: 'backups', group: 'run', Icon: IconHistory, any: ['backup:read'] },
  {
    path: 'operations',
    group: 'run',
    Icon: IconActivityHeartbeat,
    any: [
      'jobs:read',
      'ledger:read',
      'audit_logs:read',
      'monitoring:read',
      'reports:read',
      'keys:read',
      'lifecycle:read',
    ],
  },
] as const satisfies readonly {
  readonly path: string
  readonly group: string
  readonly Icon: typeof IconListDetails
  /** Shown to who holds any of them; to everybody here if there are none. */
  readonly any: readonly string[]
}[]
