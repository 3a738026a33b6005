import { Loader } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import classes from './centered.module.css'

export function PageLoader() {
  const { t } = useTranslation()
  return (
    <div className={classes['place']}>
      <Loader aria-label={t('common.loading')} role="status" />
    </div>
  )
}
