// Makes a page work offline, with service-worker.js.

/**
 * Register the service worker and have it keep the page and all that it has loaded until now: call it after `load()`.
 *
 * @param worker where service-worker.js is, relative to the page; in the page's directory or above.
 * @returns {{kept: number, of: number}} how many files are kept, of those that were asked for.
 */
export async function keepOffline(worker = 'service-worker.js') {
  await navigator.serviceWorker.register(worker);
  const {active} = await navigator.serviceWorker.ready;
  const loaded = performance.getEntriesByType('resource').map(({name}) => name);
  const keep = [...new Set([location.href, ...loaded])].map((url) => url.split('#')[0])
      .filter((url) => new URL(url).origin === location.origin);
  return new Promise((resolve) => {
    const {port1, port2} = new MessageChannel();
    port1.onmessage = ({data}) => resolve(data);
    active.postMessage({keep}, [port2]);
  });
}
