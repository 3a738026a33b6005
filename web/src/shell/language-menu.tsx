import { ActionIcon, Menu } from '@mantine/core'
import { IconCheck, IconLanguage } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { languages } from '../i18n/index.ts'
import { chooseLanguage } from './choose-language.ts'

interface LanguageMenuProps {
  readonly signedIn: boolean
}

export function LanguageMenu({ signedIn }: LanguageMenuProps) {
  const { t, i18n } = useTranslation()
  return (
    <Menu position="bottom-end" withinPortal width={180}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t('language.label')}>
          <IconLanguage size={19} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {languages.map((language) => (
          <Menu.Item
            key={language}
            lang={language}
            role="menuitemradio"
            aria-checked={i18n.language === language}
            onClick={() => chooseLanguage(language, signedIn)}
            rightSection={i18n.language === language && <IconCheck size={16} aria-hidden />}
          >
            {t(`language.${language}`)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
