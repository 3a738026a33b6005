import { IconAt, IconCornerDownLeft, IconMessages, IconPaperclip } from '@tabler/icons-react'
import { usePageTitle } from '../../shell/index.ts'
import { useTexts } from '../locales/index.ts'
import { Empty } from './page-head.tsx'
import classes from './welcome.module.css'

/** Shown when no conversation is open. */
export function Welcome() {
  const t = useTexts()
  usePageTitle(t('title'))
  return (
    <Empty
      icon={<IconMessages size={30} aria-hidden />}
      title={t('welcome.title')}
      detail={t('welcome.detail')}
      isPage
    >
      <ul className={classes['tips']} aria-label={t('welcome.tips')}>
        <li>
          <IconAt size={18} aria-hidden />
          {t('welcome.tipMention')}
        </li>
        <li>
          <IconCornerDownLeft size={18} aria-hidden />
          {t('welcome.tipEnter')}
        </li>
        <li>
          <IconPaperclip size={18} aria-hidden />
          {t('welcome.tipFiles')}
        </li>
      </ul>
    </Empty>
  )
}
