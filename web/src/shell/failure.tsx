import { Button, Stack, Text, Title } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { Problem } from '../api/index.ts'
import { Mark, problemText } from '../ui/index.ts'
import classes from './failure.module.css'

interface FailureProps {
  readonly error: Error
  readonly onRetry: () => void
}

/** In place of what could not be shown. */
export function Failure({ error, onRetry }: FailureProps) {
  const { t } = useTranslation()
  const refused = error instanceof Problem
  return (
    <div className={classes['place']} role="alert">
      <Stack align="center" gap="sm" maw={420}>
        <Mark size={44} />
        <Title order={1} size="h3">
          {t('errors.title')}
        </Title>
        <Text c="dimmed" ta="center">
          {refused ? problemText(t, error) : t('errors.crash')}
        </Text>
        {refused && error.instance !== null && (
          <Text size="xs" c="dimmed">
            {t('errors.instance', { instance: error.instance })}
          </Text>
        )}
        <Button onClick={onRetry} mt="xs">
          {refused ? t('common.retry') : t('errors.reload')}
        </Button>
      </Stack>
    </div>
  )
}
