import { Menu, UnstyledButton } from '@mantine/core'
import { IconActivity, IconLogout, IconUserCircle } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { profileQuery, signOut, useSession } from '../api/index.ts'
import { Avatar, showProblem } from '../ui/index.ts'
import classes from './user-menu.module.css'

/** Shows who is signed in, and signs them out. */
export function UserMenu() {
  const { t } = useTranslation()
  const { displayName, username } = useSession()
  const { data: profile } = useQuery(profileQuery)
  return (
    <Menu position="bottom-end" withinPortal width={240}>
      <Menu.Target>
        <UnstyledButton className={classes['target']} aria-label={t('nav.menu', { name: displayName })}>
          <Avatar name={displayName} url={profile?.avatarUrl ?? null} size={30} />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <div className={classes['who']}>
          <div className={classes['name']}>{displayName}</div>
          {displayName !== username && <div className={classes['username']}>{username}</div>}
        </div>
        <Menu.Divider />
        <Menu.Item component={Link} to="/account" leftSection={<IconUserCircle size={16} aria-hidden />}>
          {t('nav.account')}
        </Menu.Item>
        <Menu.Item component="a" href="/status/" leftSection={<IconActivity size={16} aria-hidden />}>
          {t('nav.integrity')}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item
          onClick={() => void signOut().catch(showProblem)}
          leftSection={<IconLogout size={16} aria-hidden />}
        >
          {t('nav.signOut')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
