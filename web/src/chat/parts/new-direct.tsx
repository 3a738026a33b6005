import { MAX_GROUP_PEOPLE, type Person } from '@akashi/contract'
import { Button, Group, Pill, Text } from '@mantine/core'
import { useState } from 'react'
import { Dialog } from '../../ui/index.ts'
import { useChat } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'
import { PeoplePicker } from './people-picker.tsx'
import { useDirect } from './use-direct.ts'

interface NewDirectProps {
  readonly opened: boolean
  readonly onClose: () => void
  /** Those who are chosen when it opens. */
  readonly initial?: readonly Person[]
}

const nobody: readonly Person[] = []

/** Starts a conversation with one person or several. */
export function NewDirect({ opened, onClose, initial = nobody }: NewDirectProps) {
  const t = useTexts()
  return (
    <Dialog opened={opened} onClose={onClose} title={t('directForm.title')}>
      <Choose onClose={onClose} initial={initial} />
    </Dialog>
  )
}

function Choose({ onClose, initial }: Required<Omit<NewDirectProps, 'opened'>>) {
  const t = useTexts()
  const chat = useChat()
  const { openWith, busy } = useDirect()
  const [chosen, setChosen] = useState(initial)
  const isFull = chosen.length >= MAX_GROUP_PEOPLE - 1
  const start = () => void openWith(chosen).then((done) => done && onClose())
  return (
    <>
      {chosen.length > 0 && (
        <Pill.Group mb="sm" aria-label={t('directForm.chosen')} role="group">
          {chosen.map((person) => (
            <Pill
              key={person.id}
              size="md"
              withRemoveButton
              removeButtonProps={{
                'aria-label': t('directForm.drop', { name: person.displayName }),
                'aria-hidden': false,
                tabIndex: 0,
              }}
              onRemove={() => setChosen(chosen.filter(({ id }) => id !== person.id))}
            >
              {person.displayName}
            </Pill>
          ))}
        </Pill.Group>
      )}
      <PeoplePicker
        label={t('directForm.who')}
        except={new Set([chat.me.id, ...chosen.map(({ id }) => id)])}
        busy={busy || isFull}
        onPick={(person) => setChosen([...chosen, person])}
      />
      <Text size="sm" c="dimmed" mt="sm">
        {isFull
          ? t('directForm.full', { count: MAX_GROUP_PEOPLE })
          : initial.length > 0
            ? t('directForm.another')
            : t('directForm.fixed')}
      </Text>
      <Group justify="flex-end" mt="md">
        <Button onClick={start} loading={busy} disabled={chosen.length === 0}>
          {t(chosen.length > 1 ? 'directForm.startGroup' : 'directForm.start')}
        </Button>
      </Group>
    </>
  )
}
