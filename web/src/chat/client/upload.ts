import { type ChatFile, OWN_PAGE_HEADER } from '@akashi/contract'
import { addressOf, Problem, problemIn, unreachable } from '../../api/index.ts'

/** Uploads a file to a room. By XMLHttpRequest, since fetch does not report progress. */
export function upload(
  roomId: string,
  source: File,
  onProgress: (part: number) => void,
  signal: AbortSignal,
): Promise<ChatFile> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const abort = () => request.abort()
    signal.addEventListener('abort', abort)
    request.upload.onprogress = ({ loaded, total }) => onProgress(total === 0 ? 0 : loaded / total)
    request.onload = () => {
      if (request.status === 201) resolve(request.response)
      else reject(new Problem(problemIn(request.response, request)))
    }
    request.onerror = () => reject(unreachable('the upload broke off'))
    request.onabort = () => reject(new DOMException('the upload was stopped', 'AbortError'))
    request.onloadend = () => signal.removeEventListener('abort', abort)
    request.open(
      'POST',
      addressOf('/v1/chat/rooms/{roomId}/files', { params: { roomId }, query: { name: source.name } }),
    )
    request.responseType = 'json'
    request.setRequestHeader(OWN_PAGE_HEADER, '1')
    request.setRequestHeader('content-type', source.type === '' ? 'application/octet-stream' : source.type)
    request.send(source)
  })
}

export function fileAddress(fileId: string, part: 'content' | 'thumbnail'): string {
  return addressOf('/v1/chat/files/{fileId}/{part}', { params: { fileId, part }, query: undefined })
}
