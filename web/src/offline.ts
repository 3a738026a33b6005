/** Registers the service worker, with which the pages open without a network; the server must be https or this machine. */
export function keepForOffline(): void {
  if (!('serviceWorker' in navigator)) return
  addEventListener(
    'load',
    () => {
      // Without it the pages work as before, but not offline.
      navigator.serviceWorker.register('/service-worker.js').catch(() => undefined)
    },
    { once: true },
  )
}
