import { Button, Select, TextInput } from '@mantine/core'
import { IconSearch, IconX } from '@tabler/icons-react'
import { type FormEvent, type ReactNode, useEffect, useState } from 'react'
import { useTexts } from '../locales/index.ts'
import classes from './filter-bar.module.css'
import { type Period, periodNames } from './period.ts'

interface FilterBarProps {
  readonly children: ReactNode
  /** Called to drop every filter; not given while none is set. */
  readonly onClear?: (() => void) | undefined
}

export function FilterBar({ children, onClear }: FilterBarProps) {
  const t = useTexts()
  return (
    <search className={classes['bar']} aria-label={t('common.filter')}>
      {children}
      {onClear !== undefined && (
        <Button
          variant="subtle"
          color="gray"
          size="sm"
          leftSection={<IconX size={15} aria-hidden />}
          onClick={onClear}
        >
          {t('common.clear')}
        </Button>
      )}
    </search>
  )
}

interface PeriodSelectProps {
  readonly value: Period
  readonly onChange: (period: Period) => void
}

export function PeriodSelect({ value, onChange }: PeriodSelectProps) {
  const t = useTexts()
  return (
    <Select
      aria-label={t('common.period')}
      className={classes['select'] ?? ''}
      allowDeselect={false}
      data={periodNames.map((name) => ({ value: name, label: t(`period.${name}`) }))}
      value={value}
      onChange={(next) => {
        const period = periodNames.find((name) => name === next)
        if (period !== undefined) onChange(period)
      }}
    />
  )
}

interface ChoiceProps {
  readonly label: string
  readonly value: string
  readonly options: readonly { readonly value: string; readonly label: string }[]
  readonly onChange: (value: string) => void
}

/** One of several; empty for all. */
export function Choice({ label, value, options, onChange }: ChoiceProps) {
  const known = value === '' || options.some((option) => option.value === value)
  return (
    <Select
      aria-label={label}
      placeholder={label}
      className={classes['select'] ?? ''}
      data={known ? [...options] : [{ value, label: value }, ...options]}
      value={value === '' ? null : value}
      onChange={(next) => onChange(next ?? '')}
      clearable
      searchable={options.length > 12}
    />
  )
}

interface WordsProps {
  readonly label: string
  readonly value: string
  readonly onSearch: (text: string) => void
}

/** Search words, applied on Enter or when the field loses focus. */
export function Words({ label, value, onSearch }: WordsProps) {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onSearch(text.trim())
  }
  return (
    <form onSubmit={submit} className={classes['words']}>
      <TextInput
        aria-label={label}
        placeholder={label}
        leftSection={<IconSearch size={16} aria-hidden />}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onBlur={() => onSearch(text.trim())}
      />
    </form>
  )
}
