import { Kbd, Modal } from '@mantine/core'
import { Fragment } from 'react'
import { useTranslation } from 'react-i18next'
import classes from './shortcut-help.module.css'
import { useRegisteredShortcuts } from './shortcuts.ts'

interface ShortcutHelpProps {
  readonly opened: boolean
  readonly onClose: () => void
}

/** Every shortcut that works on this page. */
export function ShortcutHelp({ opened, onClose }: ShortcutHelpProps) {
  const { t } = useTranslation()
  const groups = Map.groupBy(useRegisteredShortcuts(), ({ group }) => group)
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={t('shortcuts.title')}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      {[...groups].map(([group, shortcuts]) => (
        <section key={group} className={classes['group']}>
          <h3 className={classes['title']}>{group}</h3>
          <dl className={classes['list']}>
            {shortcuts.map(({ keys, label }) => (
              <div key={keys} className={classes['row']}>
                <dt>{label}</dt>
                <dd className={classes['keys']}>
                  <Keys keys={keys} />
                </dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </Modal>
  )
}

const names: Readonly<Record<string, string>> = {
  mod: /mac|iphone|ipad/i.test(navigator.userAgent) ? '⌘' : 'Ctrl',
  escape: 'Esc',
  enter: 'Enter',
  arrowup: '↑',
  arrowdown: '↓',
}

function Keys({ keys }: { readonly keys: string }) {
  const { t } = useTranslation()
  return keys.split(' ').map((together, index) => (
    <Fragment key={together}>
      {index > 0 && <span className={classes['then']}>{t('shortcuts.followedBy')}</span>}
      {together.split('+').map((key) => (
        <Kbd key={key}>{names[key] ?? (key.length === 1 ? key.toUpperCase() : key)}</Kbd>
      ))}
    </Fragment>
  ))
}
