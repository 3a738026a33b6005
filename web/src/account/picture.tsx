import { MAX_AVATAR_BYTES, type ResponseOf } from '@akashi/contract'
import { Button, FileButton, Group, Text } from '@mantine/core'
import { IconPhotoUp } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { call, Problem, profileQuery, sendFile } from '../api/index.ts'
import { day } from '../i18n/when.ts'
import { Avatar, problemText, showMessage } from '../ui/index.ts'
import classes from './profile.module.css'

const BYTES_A_MEGABYTE = 1_048_576
/** Milliseconds to send a picture over a slow line, and to have it decoded. */
const UPLOAD_MS = 120_000
const ACCEPTED = 'image/png,image/jpeg,image/gif,image/webp,image/avif'

interface PictureProps {
  readonly profile: ResponseOf<'GET /v1/me'>
  readonly name: string
}

/** The person's picture and name, and how to replace or remove the picture. */
export function Picture({ profile, name }: PictureProps) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const reset = useRef<() => void>(null)
  const megabytes = MAX_AVATAR_BYTES / BYTES_A_MEGABYTE
  const change = useMutation({
    mutationFn: async (file: File | null) => {
      if (file === null) await call('DELETE /v1/chat/avatar')
      else if (file.size > MAX_AVATAR_BYTES) throw new TooLarge()
      else await sendFile('PUT /v1/chat/avatar', file, UPLOAD_MS)
    },
    onSuccess: async (_, file) => {
      await queries.invalidateQueries({ queryKey: profileQuery.queryKey })
      showMessage(t(file === null ? 'profile.avatarRemoved' : 'profile.avatarSaved'))
    },
    // The same file can be chosen again.
    onSettled: () => reset.current?.(),
  })
  const has = profile.avatarUrl?.startsWith('/') === true
  return (
    <div className={classes['who']}>
      <Avatar name={name} url={profile.avatarUrl} size={72} />
      <div className={classes['whoText']}>
        <Text fw={650} size="lg">
          {name}
        </Text>
        <Text size="sm" c="dimmed">
          {t('profile.member', { when: day(profile.createdAt) })}
        </Text>
        <Group gap="xs" mt="sm">
          <FileButton
            resetRef={reset}
            accept={ACCEPTED}
            inputProps={{ 'aria-label': t('profile.avatar') }}
            onChange={(file) => file !== null && change.mutate(file)}
          >
            {(props) => (
              <Button
                {...props}
                size="xs"
                variant="default"
                loading={change.isPending}
                leftSection={<IconPhotoUp size={15} aria-hidden />}
              >
                {t(has ? 'profile.avatarReplace' : 'profile.avatarUpload')}
              </Button>
            )}
          </FileButton>
          {has && (
            <Button
              size="xs"
              variant="subtle"
              color="gray"
              disabled={change.isPending}
              onClick={() => change.mutate(null)}
            >
              {t('profile.avatarRemove')}
            </Button>
          )}
        </Group>
        {change.error === null ? (
          <Text size="xs" c="dimmed" mt={6}>
            {t('profile.avatarDetail', { megabytes })}
          </Text>
        ) : (
          <Text size="xs" c="red" mt={6} role="alert">
            {errorText(change.error)}
          </Text>
        )}
      </div>
    </div>
  )

  function errorText(error: Error): string {
    if (error instanceof TooLarge || (error instanceof Problem && error.code === 'too_large')) {
      return t('profile.avatarTooLarge', { megabytes })
    }
    if (error instanceof Problem && error.code === 'invalid_input') return t('profile.avatarWrong')
    return problemText(t, error)
  }
}

class TooLarge extends Error {
  override readonly name = 'TooLarge'
}
