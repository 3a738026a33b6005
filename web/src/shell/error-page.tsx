import { Button, Group, Stack, Text, Title } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { Problem } from '../api/index.ts'
import { Logo, problemText } from '../ui/index.ts'
import classes from './centered.module.css'
import { PartNotLoaded } from './lazily.tsx'

interface ErrorPageProps {
  readonly error: Error
  readonly onRetry: () => void
}

/** Shown in place of a part that failed. */
export function ErrorPage({ error, onRetry }: ErrorPageProps) {
  const { t } = useTranslation()
  const problem = error instanceof Problem ? error : null
  const notLoaded = error instanceof PartNotLoaded
  const detail =
    problem !== null ? problemText(t, problem) : t(notLoaded ? 'errors.not_loaded' : 'errors.crash')
  return (
    <div className={classes['place']} role="alert">
      <Stack align="center" gap="sm" maw={420}>
        <Logo size={44} />
        <Title order={1} size="h3">
          {t('errors.title')}
        </Title>
        <Text c="dimmed" ta="center">
          {detail}
        </Text>
        {problem !== null && problem.instance !== null && (
          <Text size="xs" c="dimmed">
            {t('errors.instance', { instance: problem.instance })}
          </Text>
        )}
        <Group mt="xs" justify="center">
          {(problem !== null || notLoaded) && <Button onClick={onRetry}>{t('common.retry')}</Button>}
          {problem === null && (
            <Button variant={notLoaded ? 'default' : 'filled'} onClick={() => location.reload()}>
              {t('errors.reload')}
            </Button>
          )}
        </Group>
      </Stack>
    </div>
  )
}
