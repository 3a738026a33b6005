import { MAX_GROUP_PEOPLE, type Member, type Person, type Room } from '@akashi/contract'
import { ActionIcon, Button, Group, Select, Text, Tooltip } from '@mantine/core'
import { IconMessage, IconUserMinus, IconUserPlus, IconX } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { call } from '../../api/index.ts'
import { showMessage, showProblem } from '../../ui/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { membersQuery, roomInvitationsQuery } from '../client/queries.ts'
import { isDirect } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import classes from './members.module.css'
import { NewDirect } from './new-direct.tsx'
import { PeoplePicker } from './people-picker.tsx'
import { PersonAvatar } from './person-avatar.tsx'
import { useDirect } from './use-direct.ts'

interface MembersProps {
  readonly room: Room
  readonly onLeave: () => void
}

export function Members({ room, onLeave }: MembersProps) {
  const t = useTexts()
  const chat = useChat()
  const [inviting, setInviting] = useState(false)
  const [adding, setAdding] = useState(false)
  const { data: members } = useQuery(membersQuery(room.id))
  const ids = members?.map(({ user }) => user.id).join(' ') ?? ''
  const manages = room.role === 'owner' || room.role === 'admin'
  const mayInvite = !isDirect(room) && room.isActive && (manages || room.type === 'public')

  useEffect(() => {
    if (ids !== '') void chat.watch(ids.split(' ')).catch(() => undefined)
  }, [chat, ids])

  return (
    <>
      {mayInvite && (
        <Button
          variant="light"
          fullWidth
          leftSection={<IconUserPlus size={17} />}
          aria-expanded={inviting}
          onClick={() => setInviting((now) => !now)}
        >
          {t('details.invite')}
        </Button>
      )}
      {isDirect(room) && room.peers.length < MAX_GROUP_PEOPLE - 1 && (
        <Button
          variant="light"
          fullWidth
          leftSection={<IconUserPlus size={17} />}
          onClick={() => setAdding(true)}
        >
          {t('details.addPeople')}
        </Button>
      )}
      <NewDirect
        opened={adding}
        initial={room.peers}
        onClose={() => {
          setAdding(false)
          onLeave()
        }}
      />
      {inviting && <Invite room={room} members={members ?? []} />}
      <ul className={classes['list']} aria-label={t('details.members')}>
        {members?.map((member) => (
          <MemberLine key={member.user.id} room={room} member={member} onLeave={onLeave} />
        ))}
      </ul>
    </>
  )
}

interface MemberLineProps {
  readonly room: Room
  readonly member: Member
  readonly onLeave: () => void
}

function MemberLine({ room, member, onLeave }: MemberLineProps) {
  const t = useTexts()
  const chat = useChat()
  const direct = useDirect()
  const presence = useObserved(chat.presence).get(member.user.id)
  const { id, displayName: name, username } = member.user
  const isMe = id === chat.me.id
  const params = { roomId: room.id, userId: id }
  const setsRole = room.role === 'owner' && !isDirect(room) && room.isActive
  const removes =
    !isMe && !isDirect(room) && (room.role === 'owner' || (room.role === 'admin' && member.role === 'member'))
  const setRole = useMutation({
    mutationFn: (role: Member['role']) =>
      call('PATCH /v1/chat/rooms/{roomId}/members/{userId}', { params, body: { role } }),
    onError: showProblem,
  })
  const roles: { value: Member['role']; label: string }[] = [
    { value: 'owner', label: t('details.owner') },
    { value: 'admin', label: t('details.admin') },
    { value: 'member', label: t('details.member') },
  ]
  return (
    <li className={classes['one']}>
      <PersonAvatar person={member.user} size={34} status={presence} />
      <span className={classes['texts']}>
        <span>
          <bdi>{name}</bdi>
          {isMe && <span className={classes['dim']}> ({t('details.me')})</span>}
        </span>
        <bdi className={classes['dim']}>@{username}</bdi>
      </span>
      {setsRole ? (
        <Select
          size="xs"
          w={112}
          aria-label={t('details.role', { name })}
          value={setRole.isPending ? setRole.variables : member.role}
          allowDeselect={false}
          data={roles}
          onChange={(role) => role !== null && setRole.mutate(role)}
        />
      ) : (
        member.role !== 'member' && <span className={classes['dim']}>{t(`details.${member.role}`)}</span>
      )}
      {!isMe && room.type !== 'direct' && (
        <Tooltip label={t('details.message', { name })}>
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t('details.message', { name })}
            onClick={() => void direct.open(member.user).then((done) => done && onLeave())}
          >
            <IconMessage size={17} />
          </ActionIcon>
        </Tooltip>
      )}
      {removes && (
        <Remove
          name={name}
          onRemove={() => call('DELETE /v1/chat/rooms/{roomId}/members/{userId}', { params })}
        />
      )}
    </li>
  )
}

/** Asks for confirmation in place of its button before removing a member. */
function Remove({ name, onRemove }: { readonly name: string; readonly onRemove: () => Promise<unknown> }) {
  const t = useTexts()
  const [asked, setAsked] = useState(false)
  return asked ? (
    <Button
      size="compact-xs"
      color="red"
      onBlur={() => setAsked(false)}
      autoFocus
      onClick={() => void onRemove().catch(showProblem)}
    >
      {t('details.removeTitle', { name })}
    </Button>
  ) : (
    <Tooltip label={t('details.remove', { name })}>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={t('details.remove', { name })}
        onClick={() => setAsked(true)}
      >
        <IconUserMinus size={17} />
      </ActionIcon>
    </Tooltip>
  )
}

function Invite({ room, members }: { readonly room: Room; readonly members: readonly Member[] }) {
  const t = useTexts()
  const queries = useQueryClient()
  const { data: waiting } = useQuery(roomInvitationsQuery(room.id))
  const refresh = () => queries.invalidateQueries({ queryKey: roomInvitationsQuery(room.id).queryKey })
  const invite = useMutation({
    mutationFn: (person: Person) =>
      call('POST /v1/chat/rooms/{roomId}/invitations', {
        params: { roomId: room.id },
        body: { userId: person.id },
      }),
    onSuccess: (_, person) => showMessage(t('details.inviteDone', { name: person.displayName })),
    onError: showProblem,
    onSettled: refresh,
  })
  const revoke = useMutation({
    mutationFn: (invitationId: string) =>
      call('DELETE /v1/chat/invitations/{invitationId}', { params: { invitationId } }),
    onError: showProblem,
    onSettled: refresh,
  })
  const except = new Set([
    ...members.map(({ user }) => user.id),
    ...(waiting ?? []).map(({ invited }) => invited.id),
  ])
  return (
    <div className={classes['invite']}>
      <PeoplePicker
        label={t('details.invite')}
        except={except}
        busy={invite.isPending}
        onPick={(person) => invite.mutate(person)}
      />
      {waiting !== undefined && waiting.length > 0 && (
        <>
          <Text size="xs" c="dimmed" mt="xs">
            {t('details.invited')}
          </Text>
          {waiting.map(({ id, invited }) => (
            <Group key={id} gap="xs" justify="space-between" wrap="nowrap">
              <Text size="sm" truncate>
                <bdi>{invited.displayName}</bdi>
              </Text>
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={t('details.revoke', { name: invited.displayName })}
                onClick={() => revoke.mutate(id)}
              >
                <IconX size={16} />
              </ActionIcon>
            </Group>
          ))}
        </>
      )}
    </div>
  )
}
