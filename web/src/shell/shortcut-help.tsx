import { Kbd, Switch } from '@mantine/core'
import { Fragment } from 'react'
import { useTranslation } from 'react-i18next'
import { Dialog } from '../ui/index.ts'
import classes from './shortcut-help.module.css'
import { isSingleKey, useRegisteredShortcuts, useSingleKeys } from './shortcuts.ts'

interface ShortcutHelpProps {
  readonly opened: boolean
  readonly onClose: () => void
}

/** Every shortcut of the page. */
export function ShortcutHelp({ opened, onClose }: ShortcutHelpProps) {
  const { t } = useTranslation()
  const [singleKeys, setSingleKeys] = useSingleKeys()
  const usable = useRegisteredShortcuts().filter((shortcut) => singleKeys || !isSingleKey(shortcut))
  const groups = Map.groupBy(usable, ({ group }) => group)
  return (
    <Dialog opened={opened} onClose={onClose} title={t('shortcuts.title')}>
      {[...groups].map(([group, shortcuts]) => (
        <section key={group} className={classes['group']}>
          <h3 className={classes['title']}>{group}</h3>
          <dl className={classes['list']}>
            {[...Map.groupBy(shortcuts, ({ label }) => label)].map(([label, alternatives]) => (
              <div key={label} className={classes['row']}>
                <dt>{label}</dt>
                {alternatives.map(({ keys }) => (
                  <dd key={keys} className={classes['keys']}>
                    <Keys keys={keys} />
                  </dd>
                ))}
              </div>
            ))}
          </dl>
        </section>
      ))}
      <Switch
        mt="md"
        label={t('shortcuts.single')}
        description={t('shortcuts.singleDetail')}
        checked={singleKeys}
        onChange={(event) => setSingleKeys(event.currentTarget.checked)}
      />
    </Dialog>
  )
}

const isMac = /mac|iphone|ipad/i.test(navigator.userAgent)

const names: Readonly<Record<string, string>> = {
  mod: isMac ? '⌘' : 'Ctrl',
  alt: isMac ? '⌥' : 'Alt',
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
