// Lets the pages open without a network. It keeps the page and its code, which are the same for everybody, and never an
// answer of the API: whatever is not listed here goes to the network as if this worker did not exist.
importScripts('/offline-files.js')

/** @type {{ version: string, files: string[] }} */
const { version, files } = self.offlineFiles
const CURRENT = `akashi-${version}`
const PAGE = '/'
/** Addresses that show the page; everything else, such as /docs and /v1, is left alone. */
const pages = /^\/(?:(?:sign-in|chat|account|console)(?:\/.*)?)?$/
/** Milliseconds after which a network that does not respond counts as none. */
const NETWORK_MS = 5_000

self.addEventListener('install', (event) => {
  event.waitUntil(fill())
})

async function fill() {
  const cache = await caches.open(CURRENT)
  // Past the browser's own cache for what changes under its address.
  await cache.add(new Request(PAGE, { cache: 'reload', credentials: 'omit' }))
  await cache.addAll(files.map((file) => new Request(file, { credentials: 'omit' })))
}

// A new worker waits until no page of the earlier one is open: those still need the code that the server no longer has.
self.addEventListener('activate', (event) => {
  event.waitUntil(dropEarlier().then(() => self.clients.claim()))
})

async function dropEarlier() {
  for (const name of await caches.keys()) {
    if (name.startsWith('akashi-') && name !== CURRENT) await caches.delete(name)
  }
}

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== self.location.origin) return
  if (request.mode === 'navigate' && pages.test(pathname)) event.respondWith(openPage(request))
  else if (files.includes(pathname)) event.respondWith(openFile(request))
})

/** The newest page, or without a network the kept one. */
async function openPage(request) {
  try {
    return await fetch(request, { signal: AbortSignal.timeout(NETWORK_MS) })
  } catch (error) {
    const kept = await (await caches.open(CURRENT)).match(PAGE)
    if (kept === undefined) throw error
    return kept
  }
}

/** The names of assets change with their content; the two others belong to the kept page. */
async function openFile(request) {
  const kept = await (await caches.open(CURRENT)).match(request.url)
  return kept ?? (await fetch(request))
}
