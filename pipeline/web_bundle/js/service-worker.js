// Opt-in: lets a page that uses the model work offline. Put this file beside the page (a service worker only sees what
// lies in its own directory and below), and register it with offline.mjs. The network comes first, so that nothing is
// ever stale; what was kept answers when there is none.

const KEPT = 'isomer-web';

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

// The page names what it has loaded; the answer is how much of it is kept.
self.addEventListener('message', (event) => event.waitUntil((async () => {
  const cache = await caches.open(KEPT);
  const done = await Promise.allSettled(event.data.keep.map((url) => cache.add(url)));
  event.ports[0].postMessage({kept: done.filter(({status}) => status === 'fulfilled').length, of: done.length});
})()));

self.addEventListener('fetch', (event) => {
  const {request} = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== self.location.origin) return;
  event.respondWith((async () => {
    const cache = await caches.open(KEPT);
    try {
      const response = await fetch(request);
      if (response.ok && await cache.match(request)) await cache.put(request, response.clone());
      return response;
    } catch (error) {
      const kept = await cache.match(request, {ignoreSearch: request.mode === 'navigate'});
      if (kept) return kept;
      throw error;
    }
  })());
});
