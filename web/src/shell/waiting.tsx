import { Loader } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import classes from './failure.module.css'

/** Where something is about to be. */
export function Waiting() {
  const { t } = useTranslation()
  return (
    <div className={classes['place']}>
      <Loader aria-label={t('common.loading')} role="status" />
    </div>
  )
}
