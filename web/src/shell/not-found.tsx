import { Button, Stack, Text, Title } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { Logo } from '../ui/index.ts'
import classes from './centered.module.css'
import { usePageTitle } from './title.ts'

export function NotFound() {
  const { t } = useTranslation()
  usePageTitle(t('notFound.title'))
  return (
    <div className={classes['place']}>
      <Stack align="center" gap="sm">
        <Logo size={44} />
        <Title order={1} size="h3">
          {t('notFound.title')}
        </Title>
        <Text c="dimmed" ta="center">
          {t('notFound.detail')}
        </Text>
        <Button component={Link} to="/" mt="xs">
          {t('notFound.home')}
        </Button>
      </Stack>
    </div>
  )
}
