import { ActionIcon, type ActionIconProps, Loader, Popover, type PopoverProps } from '@mantine/core'
import { IconMoodSmile } from '@tabler/icons-react'
import { Suspense, useState } from 'react'
import { lazily } from '../../shell/index.ts'
import { useTexts } from '../locales/index.ts'

const EmojiPicker = lazily(async () => (await import('./emoji-picker.tsx')).EmojiPicker)

interface EmojiPopoverProps {
  readonly label: string
  readonly position: NonNullable<PopoverProps['position']>
  readonly button: ActionIconProps
  readonly iconSize: number
  readonly onPick: (emoji: string) => void
}

/** A button that opens the emoji picker. */
export function EmojiPopover({ label, position, button, iconSize, onPick }: EmojiPopoverProps) {
  const t = useTexts()
  const [opened, setOpened] = useState(false)
  return (
    <Popover opened={opened} onChange={setOpened} position={position} trapFocus withinPortal>
      <Popover.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          {...button}
          aria-label={label}
          onClick={() => setOpened((now) => !now)}
        >
          <IconMoodSmile size={iconSize} />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown p="xs" aria-label={t('emoji.label')}>
        {opened && (
          <Suspense fallback={<Loader size="sm" />}>
            <EmojiPicker
              onPick={(emoji) => {
                setOpened(false)
                onPick(emoji)
              }}
            />
          </Suspense>
        )}
      </Popover.Dropdown>
    </Popover>
  )
}
