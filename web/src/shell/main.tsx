import type { ReactNode } from 'react'

interface MainProps {
  readonly className?: string | undefined
  readonly children: ReactNode
}

/** The main landmark of a page, where the skip link leads: the content without menus and lists beside it. */
export function Main({ className, children }: MainProps) {
  return (
    <main id="main" tabIndex={-1} {...(className === undefined ? {} : { className })}>
      {children}
    </main>
  )
}
