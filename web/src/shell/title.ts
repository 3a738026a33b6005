import { useEffect } from 'react'

const PRODUCT = 'Akashi 証'

/** The title of the browser's tab, while the component is there. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = title === '' ? PRODUCT : `${title} · ${PRODUCT}`
    return () => {
      document.title = PRODUCT
    }
  }, [title])
}
