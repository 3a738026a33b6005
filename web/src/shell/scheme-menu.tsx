import { ActionIcon, Menu, useMantineColorScheme } from '@mantine/core'
import { IconDeviceDesktop, IconMoon, IconSun } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { schemes, useChooseScheme } from './preferences.ts'

const icons = { auto: IconDeviceDesktop, light: IconSun, dark: IconMoon }

interface SchemeMenuProps {
  readonly signedIn: boolean
}

export function SchemeMenu({ signedIn }: SchemeMenuProps) {
  const { t } = useTranslation()
  const { colorScheme } = useMantineColorScheme()
  const choose = useChooseScheme(signedIn)
  const Current = icons[colorScheme]
  return (
    <Menu position="bottom-end" withinPortal width={200}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t('scheme.label')}>
          <Current size={19} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.RadioGroup
          value={colorScheme}
          onChange={(value) => choose(schemes.find((scheme) => scheme === value) ?? 'auto')}
        >
          {schemes.map((scheme) => {
            const Icon = icons[scheme]
            return (
              <Menu.RadioItem
                key={scheme}
                value={scheme}
                rightSection={<Icon size={16} aria-hidden />}
                closeMenuOnClick
              >
                {t(`scheme.${scheme}`)}
              </Menu.RadioItem>
            )
          })}
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  )
}
