import type { Person } from '@akashi/contract'
import { Modal } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import { call, Problem } from '../../api/index.ts'
import { tell, tellProblem } from '../../ui/index.ts'
import { useChat } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'
import { PeoplePicker } from './people-picker.tsx'

interface NewDirectProps {
  readonly opened: boolean
  readonly onClose: () => void
}

export function NewDirect({ opened, onClose }: NewDirectProps) {
  const t = useTexts()
  const common = useTranslation().t
  const chat = useChat()
  const { open, busy } = useDirect()
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={t('directForm.title')}
      closeButtonProps={{ 'aria-label': common('common.close') }}
    >
      <PeoplePicker
        label={t('directForm.who')}
        except={new Set([chat.me.id])}
        busy={busy}
        onPick={(person) => void open(person).then((done) => done && onClose())}
      />
    </Modal>
  )
}

/** Goes to the direct room with somebody; answers whether there is one. */
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
      if (error instanceof Problem && error.status === 403) tell(t('directForm.refused'))
      else tellProblem(error)
      return false
    } finally {
      setBusy(false)
    }
  }
  return { open, busy }
}
