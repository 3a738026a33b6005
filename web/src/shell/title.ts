import { useEffect } from 'react'

const PRODUCT = 'Akashi 証'

let pageTitle = ''
let unreadCount = 0

function show(): void {
  const name = pageTitle === '' ? PRODUCT : `${pageTitle} · ${PRODUCT}`
  document.title = unreadCount > 0 ? `(${unreadCount}) ${name}` : name
}

/** Sets the title of the browser tab while the component is mounted. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    pageTitle = title
    show()
    return () => {
      pageTitle = ''
      show()
    }
  }, [title])
}

/** Shows a number in front of the title, such as of rooms with unread messages. */
export function useTitleCount(count: number): void {
  useEffect(() => {
    unreadCount = count
    show()
    return () => {
      unreadCount = 0
      show()
    }
  }, [count])
}
