import classes from './tag.module.css'

export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'plain'

/** A state in a word, told by its text as well as by its colour. */
export function Tag({ tone = 'plain', children }: { readonly tone?: Tone; readonly children: string }) {
  return (
    <span className={classes['tag']} data-tone={tone}>
      {children}
    </span>
  )
}
