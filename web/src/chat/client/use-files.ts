import { type ChatFile, MAX_FILE_BYTES } from '@akashi/contract'
import { useEffect, useRef, useState } from 'react'
import { upload } from './upload.ts'

export interface Attachment {
  readonly key: string
  readonly source: File
  /** From 0 to 1. */
  readonly progress: number
  readonly state: 'uploading' | 'done' | 'failed'
  readonly file: ChatFile | null
}

export type FileFault = 'tooLarge' | 'empty'

/** Files that are about to be sent to a room: they travel while the words are still being written. */
export function useFiles(roomId: string, onFault: (fault: FileFault, name: string) => void) {
  const [files, setFiles] = useState<readonly Attachment[]>([])
  const running = useRef(new Map<string, AbortController>())
  useEffect(() => {
    const all = running.current
    return () => {
      for (const abort of all.values()) abort.abort()
      all.clear()
    }
  }, [])

  const put = (key: string, changes: Partial<Attachment>) =>
    setFiles((now) => now.map((one) => (one.key === key ? { ...one, ...changes } : one)))

  const start = (key: string, source: File) => {
    const abort = new AbortController()
    running.current.set(key, abort)
    upload(roomId, source, (progress) => put(key, { progress }), abort.signal)
      .then((file) => put(key, { state: 'done', progress: 1, file }))
      .catch(() => put(key, { state: 'failed' }))
      .finally(() => running.current.delete(key))
  }

  return {
    files,
    add(sources: Iterable<File>) {
      for (const source of sources) {
        if (source.size > MAX_FILE_BYTES) onFault('tooLarge', source.name)
        else if (source.size === 0) onFault('empty', source.name)
        else {
          const key = crypto.randomUUID()
          setFiles((now) => [...now, { key, source, progress: 0, state: 'uploading', file: null }])
          start(key, source)
        }
      }
    },
    cancel(key: string) {
      running.current.get(key)?.abort()
      setFiles((now) => now.filter((one) => one.key !== key))
    },
    retry(key: string) {
      const one = files.find((file) => file.key === key)
      if (one === undefined) return
      put(key, { state: 'uploading', progress: 0 })
      start(key, one.source)
    },
    clear: () => setFiles([]),
  }
}
