import { ActionIcon, Progress } from '@mantine/core'
import { IconRefresh, IconX } from '@tabler/icons-react'
import { bytes } from '../client/text.ts'
import type { useFiles } from '../client/use-files.ts'
import { useTexts } from '../locales/index.ts'
import classes from './composer.module.css'

/** Files that will be sent with the message: how far each is, and how to stop it. */
export function FileTray({ files }: { readonly files: ReturnType<typeof useFiles> }) {
  const t = useTexts()
  if (files.files.length === 0) return null
  return (
    <ul className={classes['tray']} aria-label={t('file.tray')}>
      {files.files.map(({ key, source, state, progress }) => {
        const { name } = source
        const percent = Math.round(progress * 100)
        return (
          <li key={key} className={classes['file']} data-state={state}>
            <span className={classes['fileTexts']}>
              <bdi className={classes['fileName']}>{name}</bdi>
              {state === 'uploading' ? (
                <Progress value={percent} size="sm" aria-label={t('file.uploading', { name, percent })} />
              ) : (
                <span className={classes['fileState']}>
                  {state === 'failed' ? t('file.failed') : bytes(source.size)}
                </span>
              )}
            </span>
            {state === 'failed' && (
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={t('file.retry', { name })}
                onClick={() => files.retry(key)}
              >
                <IconRefresh size={16} />
              </ActionIcon>
            )}
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t('file.cancel', { name })}
              onClick={() => files.cancel(key)}
            >
              <IconX size={16} />
            </ActionIcon>
          </li>
        )
      })}
    </ul>
  )
}
