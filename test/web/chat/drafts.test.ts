import { randomUUID } from 'node:crypto'
import type { ChatFile } from '@akashi/contract'
import { describe, expect, it } from 'vitest'
import { Drafts, emptyDraft, type Upload } from '../../../web/src/chat/model/drafts.ts'
import { aoi, memory } from './fake-server.ts'

const room = randomUUID()
const other = randomUUID()
const quoted = { id: randomUUID(), author: aoi, content: 'what?', type: 'text', isDeleted: false } as const

/** An upload that ends when it is told to. */
function uploads() {
  const all: { finish: () => void; fail: () => void; signal: AbortSignal }[] = []
  const upload: Upload = (_, source, onProgress, signal) =>
    new Promise((resolve, reject) => {
      onProgress(0.5)
      all.push({
        finish: () => resolve({ id: `file of ${source.name}` } as ChatFile),
        fail: () => reject(new Error('the network is gone')),
        signal,
      })
    })
  return { all, upload }
}

const file = (name: string, bytes = 'x') => new File([bytes], name)
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('drafts', () => {
  it('are kept for each room, over a reload, and gone once sent', () => {
    const storage = memory()
    const drafts = new Drafts({ storage, upload: uploads().upload })
    drafts.write(room, 'hello')
    drafts.replyTo(room, quoted)
    drafts.edit(room, 'message', 'edited')
    drafts.write(other, 'elsewhere')
    const reloaded = new Drafts({ storage, upload: uploads().upload })
    expect(reloaded.of(room)).toEqual({
      text: 'hello',
      replyTo: quoted,
      files: [],
      edits: { message: 'edited' },
    })
    reloaded.sent(room)
    expect(reloaded.of(room)).toEqual({ ...emptyDraft, edits: { message: 'edited' } })
    reloaded.edit(room, 'message', null)
    reloaded.write(other, '')
    expect(reloaded.rooms.get().size).toBe(0)
    expect(storage.read()).toBe('')
  })

  it('keep their files while they are uploaded, whatever room is shown', async () => {
    const { all, upload } = uploads()
    const drafts = new Drafts({ storage: memory(), upload })
    drafts.attach(room, [file('a.txt'), file('b.txt')])
    drafts.write(other, 'meanwhile')
    expect(drafts.of(room).files).toMatchObject([
      { name: 'a.txt', state: 'uploading', progress: 0.5, fileId: null },
      { name: 'b.txt', state: 'uploading', fileId: null },
    ])
    all[0]?.finish()
    all[1]?.fail()
    await settled()
    expect(drafts.of(room).files).toMatchObject([
      { state: 'done', fileId: 'file of a.txt' },
      { state: 'failed', fileId: null },
    ])
    drafts.retry(room, drafts.of(room).files[1]?.key ?? '')
    all[2]?.finish()
    await settled()
    expect(drafts.of(room).files[1]).toMatchObject({ state: 'done', fileId: 'file of b.txt' })
  })

  it('stop the upload of a file that is taken away', async () => {
    const { all, upload } = uploads()
    const drafts = new Drafts({ storage: memory(), upload })
    drafts.attach(room, [file('a.txt')])
    drafts.detach(room, drafts.of(room).files[0]?.key ?? '')
    all[0]?.fail()
    await settled()
    expect(all[0]?.signal.aborted).toBe(true)
    expect(drafts.of(room)).toEqual(emptyDraft)
  })

  it('say after a reload which files were lost, and keep those that were not', async () => {
    const { all, upload } = uploads()
    const storage = memory()
    const drafts = new Drafts({ storage, upload })
    drafts.attach(room, [file('done.txt'), file('under-way.txt')])
    all[0]?.finish()
    await settled()
    expect(new Drafts({ storage, upload }).of(room).files).toMatchObject([
      { name: 'done.txt', state: 'done', fileId: 'file of done.txt' },
      { name: 'under-way.txt', state: 'interrupted', fileId: null },
    ])
  })

  it('refuse files that the server would refuse', () => {
    const drafts = new Drafts({ storage: memory(), upload: uploads().upload })
    const large = { name: 'large.bin', size: 104_857_601 } as File
    expect(drafts.attach(room, [file('empty.txt', ''), large])).toEqual([
      { fault: 'empty', name: 'empty.txt' },
      { fault: 'tooLarge', name: 'large.bin' },
    ])
    expect(drafts.of(room)).toEqual(emptyDraft)
  })

  it.each(['{', '[[1, {}]]', '"text"', '[["room", null]]'])('survive a storage with %s', (stored) => {
    const drafts = new Drafts({ storage: memory(stored), upload: uploads().upload })
    expect(drafts.rooms.get().size).toBe(0)
  })
})
