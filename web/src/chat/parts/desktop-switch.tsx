import { Switch } from '@mantine/core'
import { useState } from 'react'
import { canNotify, desktopIsOn, setDesktop } from '../client/desktop.ts'
import { useTexts } from '../locales/index.ts'

/** Switches notifications of the system on and off on this device. */
export function DesktopSwitch() {
  const t = useTexts()
  const [on, setOn] = useState(desktopIsOn)
  const [refused, setRefused] = useState(canNotify() && Notification.permission === 'denied')
  if (!canNotify()) return null
  const change = async (wanted: boolean) => {
    const now = await setDesktop(wanted)
    setOn(now)
    setRefused(wanted && !now)
  }
  return (
    <Switch
      label={t('notificationsPage.desktop')}
      description={t('notificationsPage.desktopDetail')}
      error={refused ? t('notificationsPage.desktopBlocked') : undefined}
      checked={on}
      onChange={(event) => void change(event.currentTarget.checked)}
    />
  )
}
