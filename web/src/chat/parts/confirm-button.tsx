import { Button } from '@mantine/core'
import { useState } from 'react'
import { ConfirmDialog } from '../../ui/index.ts'

interface ConfirmButtonProps {
  readonly label: string
  readonly title: string
  readonly detail?: string
  readonly onConfirm: () => Promise<unknown>
}

/** A button that asks before it acts. */
export function ConfirmButton({ label, ...dialog }: ConfirmButtonProps) {
  const [asking, setAsking] = useState(false)
  return (
    <>
      <Button variant="subtle" color="red" size="compact-sm" onClick={() => setAsking(true)}>
        {label}
      </Button>
      <ConfirmDialog opened={asking} action={label} onClose={() => setAsking(false)} {...dialog} />
    </>
  )
}
