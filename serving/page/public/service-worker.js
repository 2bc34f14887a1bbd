// Keeps the page, and whatever it has loaded of runtimes and bundles, so that it works offline after the first visit.
// The build writes the two names in capitals.

const SHELL = __SHELL__;
const BUILD = __BUILD__;
const PAGE = `isomer-page-${BUILD}`;
const DATA = 'isomer-data-1';

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(PAGE).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith('isomer-') && name !== PAGE && name !== DATA) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

const offline = (address) => new Response(`${address} is not kept on this device, and the server cannot be reached.`,
    {status: 504, headers: {'X-Isomer-Offline': '1', 'Content-Type': 'text/plain; charset=utf-8'}});

const store = async (name, request, response) => (await caches.open(name)).put(request, response);

// What never changes under its address: from the cache, else from the server and then kept.
async function keep(event, name) {
  const found = await caches.match(event.request, {ignoreVary: true});
  if (found) return found;
  const response = await fetch(event.request);
  if (response.ok) event.waitUntil(store(name, event.request, response.clone()));
  return response;
}

// What may change: from the server, else as it was last time.
async function refresh(event, name) {
  try {
    const response = await fetch(event.request);
    if (response.ok) event.waitUntil(store(name, event.request, response.clone()));
    return response;
  } catch {
    return await caches.match(event.request, {ignoreVary: true}) ?? offline(event.request.url);
  }
}

self.addEventListener('fetch', (event) => {
  const {request} = event;
  const {origin, pathname, searchParams} = new URL(request.url);
  if (request.method !== 'GET' || origin !== location.origin) return;
  const data = pathname === '/bundles' || pathname.startsWith('/bundles/');
  if (pathname.startsWith('/assets/') || pathname.startsWith('/vendor/') || searchParams.has('sha256')) {
    event.respondWith(keep(event, pathname.startsWith('/assets/') ? PAGE : DATA).catch(() => offline(request.url)));
  } else if (data || SHELL.includes(pathname)) {
    event.respondWith(refresh(event, data ? DATA : PAGE));
  }
});
