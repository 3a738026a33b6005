import { useEffect, useRef } from 'react'
import { NavLink, useLocation } from 'react-router'
import classes from './tabs.module.css'

interface TabsProps {
  readonly label: string
  readonly tabs: readonly { readonly to: string; readonly label: string }[]
  /** Tabs with pages below them, at which they are current, too. */
  readonly nested?: readonly string[]
}

/** The pages of one screen, each with an address of its own. */
export function Tabs({ label, tabs, nested = [] }: TabsProps) {
  const { pathname } = useLocation()
  const nav = useRef<HTMLElement>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the address decides which tab is current
  useEffect(() => {
    // On a phone they are wider than the screen.
    nav.current
      ?.querySelector('[aria-current="page"]')
      ?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [pathname])
  return (
    <nav ref={nav} aria-label={label} className={classes['tabs']}>
      {tabs.map(({ to, label: name }) => (
        <NavLink key={to} to={to} end={!nested.includes(to)} className={classes['tab'] ?? ''}>
          {name}
        </NavLink>
      ))}
    </nav>
  )
}
