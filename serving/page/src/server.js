// Requests to the server of this page. A token, where it wants one, lives as long as the tab.

const KEY = 'isomer-token';

/** The server wants a token, or another one. */
export class Unauthorized extends Error {}

/** The server cannot be reached, and nothing is kept of what was asked for. */
export class Unreachable extends Error {}

export const setToken = (token) => sessionStorage.setItem(KEY, token);

export function authorization() {
  const token = sessionStorage.getItem(KEY);
  return token ? {Authorization: `Bearer ${token}`} : {};
}

export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, {...options, headers: {...authorization(), ...options.headers}});
  } catch (error) {
    throw new Unreachable(`${path} cannot be read: ${error.message}`);
  }
  if (response.status === 401) throw new Unauthorized('This server answers only requests with its token.');
  if (response.status === 504 && response.headers.get('X-Isomer-Offline')) throw new Unreachable(await response.text());
  if (!response.ok) {
    const text = await response.text();
    let reason = text;
    try {
      reason = JSON.parse(text).error ?? text;
    } catch { /* not every refusal is JSON */ }
    throw new Error(`${path}: ${response.status} ${reason.slice(0, 300)}`);
  }
  return response;
}

/** All bundles of the server: [{model, version, state, reason, digest}]. */
export const bundles = async () => (await (await ask('/bundles')).json()).bundles;
