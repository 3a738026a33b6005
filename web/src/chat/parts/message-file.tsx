import type { ChatFile } from '@akashi/contract'
import { ActionIcon, Loader } from '@mantine/core'
import { IconAlertTriangle, IconClock, IconDownload, IconFile } from '@tabler/icons-react'
import { useState } from 'react'
import { Dialog } from '../../ui/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { bytes } from '../client/text.ts'
import { fileAddress } from '../client/upload.ts'
import { type ChatTexts, useTexts } from '../locales/index.ts'
import classes from './message-file.module.css'

/** Pixels of the largest picture in the history. */
const MAX_WIDTH = 360
const MAX_HEIGHT = 260

/** `file` is null until it was scanned, except for its sender. */
export function MessageFile({ file }: { readonly file: ChatFile | null }) {
  if (file?.status === 'completed' && file.hasThumbnail) return <Picture file={file} />
  return <Card file={file} />
}

/** A picture as the server rendered it; its space is reserved before it loads. */
function Picture({ file }: { readonly file: ChatFile }) {
  const t = useTexts()
  const [large, setLarge] = useState(false)
  const width = file.width ?? MAX_WIDTH
  const height = file.height ?? MAX_HEIGHT
  const scale = Math.min(1, MAX_WIDTH / width, MAX_HEIGHT / height)
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
      <Dialog opened={large} onClose={() => setLarge(false)} size="auto" title={<bdi>{file.name}</bdi>}>
        <img className={classes['large']} src={fileAddress(file.id, 'content')} alt={file.name} />
        <p className={classes['below']}>
          {bytes(file.size)}
          <Download file={file} />
        </p>
      </Dialog>
    </>
  )
}

function Card({ file }: { readonly file: ChatFile | null }) {
  const t = useTexts()
  const scansFiles = useObserved(useChat().scansFiles)
  const state = file?.status ?? 'processing'
  const detail = detailOf(t, file, scansFiles)
  return (
    <div className={classes['card']}>
      {state === 'processing' ? (
        scansFiles ? (
          <Loader size={20} type="oval" aria-hidden />
        ) : (
          <IconClock size={24} aria-hidden />
        )
      ) : state === 'failed' ? (
        <IconAlertTriangle size={24} aria-hidden className={classes['warning']} />
      ) : (
        <IconFile size={24} aria-hidden />
      )}
      <span className={classes['texts']}>
        {file !== null && <bdi className={classes['name']}>{file.name}</bdi>}
        <span className={classes['detail']}>{detail}</span>
      </span>
      {file?.status === 'completed' && <Download file={file} />}
    </div>
  )
}

function detailOf(t: ChatTexts, file: ChatFile | null, scansFiles: boolean): string {
  if (file === null) return t(scansFiles ? 'file.hidden' : 'file.notScanned')
  const size = bytes(file.size)
  if (file.status === 'processing') return `${size} · ${t(scansFiles ? 'file.scanning' : 'file.notScanned')}`
  if (file.status === 'failed') return `${size} · ${refusalText(t, file.failureReason)}`
  return file.keepsMetadata ? `${size} · ${t('file.keepsMetadata')}` : size
}

function refusalText(t: ChatTexts, reason: string | null): string {
  if (reason?.startsWith('infected') === true) return t('file.refused.infected')
  switch (reason) {
    case 'archive_bomb':
    case 'too_large_to_scan':
    case 'image_too_large':
    case 'image_damaged':
    case 'type_mismatch':
    case 'incomplete':
      return t(`file.refused.${reason}`)
    default:
      return t('file.refused.other')
  }
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
