import type { ReactNode } from 'react'
import classes from './card.module.css'

interface CardProps {
  readonly children: ReactNode
  readonly footer?: ReactNode
}

/** A card in the middle of the page. */
export function Card({ children, footer }: CardProps) {
  return (
    <div className={classes['place']}>
      <div className={classes['card']}>{children}</div>
      {footer !== undefined && <div className={classes['footer']}>{footer}</div>}
    </div>
  )
}
