import type { Person, Room } from '@akashi/contract'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { call, Problem } from '../../api/index.ts'
import { showMessage, showProblem } from '../../ui/index.ts'
import { useChat } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'

/** Opens the conversation with a person, or with several; resolves with whether that worked. */
export function useDirect() {
  const t = useTexts()
  const chat = useChat()
  const navigate = useNavigate()
  const [busy, setBusy] = useState(false)
  const openWith = async (people: readonly Person[]): Promise<boolean> => {
    const [first] = people
    if (first === undefined) return false
    setBusy(true)
    try {
      const room: Room =
        people.length === 1
          ? await call('POST /v1/chat/direct', { body: { userId: first.id } })
          : await call('POST /v1/chat/groups', { body: { userIds: people.map(({ id }) => id) } })
      await chat.refresh()
      await navigate(`/chat/rooms/${room.id}`)
      return true
    } catch (error) {
      if (error instanceof Problem && (error.status === 403 || error.status === 404)) {
        showMessage(t(people.length === 1 ? 'directForm.refused' : 'directForm.refusedGroup'))
      } else showProblem(error)
      return false
    } finally {
      setBusy(false)
    }
  }
  return { open: (person: Person) => openWith([person]), openWith, busy }
}
