import { ActionIcon, Progress } from '@mantine/core'
import { IconRefresh, IconX } from '@tabler/icons-react'
import { useDrafts } from '../client/context.tsx'
import { bytes } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import type { Attachment } from '../model/drafts.ts'
import classes from './composer.module.css'

interface FileTrayProps {
  readonly roomId: string
  readonly files: readonly Attachment[]
}

/** The files that will be sent with the message, with the progress of their upload. */
export function FileTray({ roomId, files }: FileTrayProps) {
  const t = useTexts()
  const drafts = useDrafts()
  if (files.length === 0) return null
  return (
    <ul className={classes['tray']} aria-label={t('file.tray')}>
      {files.map(({ key, name, size, state, progress }) => {
        const percent = Math.round(progress * 100)
        return (
          <li key={key} className={classes['file']} data-state={state}>
            <span className={classes['fileTexts']}>
              <bdi className={classes['fileName']}>{name}</bdi>
              {state === 'uploading' ? (
                <Progress value={percent} size="sm" aria-label={t('file.uploading', { name, percent })} />
              ) : (
                <span className={classes['fileState']}>
                  {state === 'done' ? bytes(size) : t(`file.${state}`)}
                </span>
              )}
            </span>
            {state === 'failed' && (
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={t('file.retry', { name })}
                onClick={() => drafts.retry(roomId, key)}
              >
                <IconRefresh size={16} />
              </ActionIcon>
            )}
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t('file.remove', { name })}
              onClick={() => drafts.detach(roomId, key)}
            >
              <IconX size={16} />
            </ActionIcon>
          </li>
        )
      })}
    </ul>
  )
}
