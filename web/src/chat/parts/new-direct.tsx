import type { Person } from '@akashi/contract'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { call, Problem } from '../../api/index.ts'
import { Dialog, showMessage, showProblem } from '../../ui/index.ts'
import { useChat } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'
import { PeoplePicker } from './people-picker.tsx'

interface NewDirectProps {
  readonly opened: boolean
  readonly onClose: () => void
}

export function NewDirect({ opened, onClose }: NewDirectProps) {
  const t = useTexts()
  const chat = useChat()
  const { open, busy } = useDirect()
  return (
    <Dialog opened={opened} onClose={onClose} title={t('directForm.title')}>
      <PeoplePicker
        label={t('directForm.who')}
        except={new Set([chat.me.id])}
        busy={busy}
        onPick={(person) => void open(person).then((done) => done && onClose())}
      />
    </Dialog>
  )
}

/** Opens the direct room with a person; resolves with whether that worked. */
export function useDirect() {
  const t = useTexts()
  const chat = useChat()
  const navigate = useNavigate()
  const [busy, setBusy] = useState(false)
  const open = async (person: Person): Promise<boolean> => {
    setBusy(true)
    try {
      const room = await call('POST /v1/chat/direct', { body: { userId: person.id } })
      await chat.refresh()
      await navigate(`/chat/rooms/${room.id}`)
      return true
    } catch (error) {
      if (error instanceof Problem && error.status === 403) showMessage(t('directForm.refused'))
      else showProblem(error)
      return false
    } finally {
      setBusy(false)
    }
  }
  return { open, busy }
}
