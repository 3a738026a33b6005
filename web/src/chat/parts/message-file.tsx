import type { ChatFile } from '@akashi/contract'
import { ActionIcon, Loader, Modal } from '@mantine/core'
import { IconAlertTriangle, IconDownload, IconFile } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { bytes } from '../client/text.ts'
import { fileAddress } from '../client/upload.ts'
import { useTexts } from '../locales/index.ts'
import classes from './message-file.module.css'

/** Pixels of the largest picture in the history. */
const MOST_WIDTH = 360
const MOST_HEIGHT = 260

/** `file` is null for others than its sender until it was checked. */
export function MessageFile({ file }: { readonly file: ChatFile | null }) {
  const t = useTexts()
  if (file === null) {
    return (
      <div className={classes['card']}>
        <Loader size={20} type="oval" aria-hidden />
        <span className={classes['detail']}>{t('file.hidden')}</span>
      </div>
    )
  }
  return file.status === 'completed' && file.hasThumbnail ? <Picture file={file} /> : <Card file={file} />
}

/** A picture as the server drew it anew; its place is kept before it comes. */
function Picture({ file }: { readonly file: ChatFile }) {
  const t = useTexts()
  const common = useTranslation().t
  const [large, setLarge] = useState(false)
  const width = file.width ?? MOST_WIDTH
  const height = file.height ?? MOST_HEIGHT
  const scale = Math.min(1, MOST_WIDTH / width, MOST_HEIGHT / height)
  return (
    <>
      <button
        type="button"
        className={classes['picture']}
        aria-label={t('file.preview', { name: file.name })}
        onClick={() => setLarge(true)}
      >
        <img
          src={fileAddress(file.id, 'thumbnail')}
          alt={file.name}
          width={Math.round(width * scale)}
          height={Math.round(height * scale)}
          loading="lazy"
          decoding="async"
        />
      </button>
      <Modal
        opened={large}
        onClose={() => setLarge(false)}
        size="auto"
        title={<bdi>{file.name}</bdi>}
        closeButtonProps={{ 'aria-label': common('common.close') }}
      >
        <img className={classes['large']} src={fileAddress(file.id, 'content')} alt={file.name} />
        <p className={classes['below']}>
          {bytes(file.size)}
          <Download file={file} />
        </p>
      </Modal>
    </>
  )
}

function Card({ file }: { readonly file: ChatFile }) {
  const t = useTexts()
  return (
    <div className={classes['card']}>
      {file.status === 'processing' ? (
        <Loader size={20} type="oval" aria-hidden />
      ) : file.status === 'failed' ? (
        <IconAlertTriangle size={24} aria-hidden className={classes['warning']} />
      ) : (
        <IconFile size={24} aria-hidden />
      )}
      <span className={classes['texts']}>
        <bdi className={classes['name']}>{file.name}</bdi>
        <span className={classes['detail']}>
          {bytes(file.size)}
          {file.status === 'processing' && ` · ${t('file.checking')}`}
          {file.status === 'failed' &&
            ` · ${file.failureReason === null ? t('file.refusedPlain') : t('file.refused', { reason: file.failureReason })}`}
        </span>
      </span>
      {file.status === 'completed' && <Download file={file} />}
    </div>
  )
}

function Download({ file }: { readonly file: ChatFile }) {
  const t = useTexts()
  return (
    <ActionIcon
      component="a"
      href={fileAddress(file.id, 'content')}
      download={file.name}
      variant="subtle"
      color="gray"
      size="lg"
      aria-label={t('file.download', { name: file.name })}
    >
      <IconDownload size={19} />
    </ActionIcon>
  )
}
