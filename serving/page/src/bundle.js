// One bundle: its manifest, and the files that it lists, each held to its hash before anything reads it.

import {sha256} from '@noble/hashes/sha2.js';

import {ask} from './server.js';

const SCHEMAS = {manifest: 'isomer-manifest/', certificate: 'isomer-certificate/'};

/** A file is not what the manifest says. */
export class Tampered extends Error {}

// Pages that are not on HTTPS or this very machine have no crypto.subtle.
export async function digest(bytes) {
  const hash = globalThis.crypto?.subtle ? new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)) : sha256(bytes);
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const encode = (path) => path.split('/').map(encodeURIComponent).join('/');

function parse(bytes, kind) {
  const document = JSON.parse(new TextDecoder().decode(bytes));
  if (!String(document.schema).startsWith(SCHEMAS[kind])) {
    throw new Error(`the ${kind}'s schema is ${document.schema}, which this page does not know`);
  }
  return document;
}

export class Bundle {
  #files = new Map();

  /** Read manifest and certificate of one version. */
  static async open(model, version) {
    const bundle = new Bundle();
    bundle.root = `/bundles/${encodeURIComponent(model)}/${version}`;
    const bytes = new Uint8Array(await (await ask(`${bundle.root}/manifest.json`)).arrayBuffer());
    bundle.manifest = parse(bytes, 'manifest');
    bundle.manifestHash = await digest(bytes);
    bundle.listed = new Map(bundle.manifest.files.map((entry) => [entry.path, entry]));
    if (await digest(listing(bundle.manifest.files)) !== bundle.manifest.digest) {
      throw new Tampered('manifest.json: its digest does not match its own list of files');
    }
    bundle.certificate = parse(await bundle.read('certificate.json'), 'certificate');
    return bundle;
  }

  get model() {
    return this.manifest.model;
  }

  get version() {
    return this.manifest.version;
  }

  get signature() {
    return this.certificate.signature;
  }

  has(path) {
    return this.listed.has(path);
  }

  hash(path) {
    return this.listed.get(path)?.sha256 ?? null;
  }

  /** The file's bytes; throws Tampered when they are not those that were exported. */
  read(path) {
    if (!this.#files.has(path)) {
      const reading = this.#fetch(path);
      reading.catch(() => this.#files.delete(path));
      this.#files.set(path, reading);
    }
    return this.#files.get(path);
  }

  async #fetch(path) {
    const entry = this.listed.get(path);
    if (!entry) throw new Error(`${path}: the bundle has no such file`);
    const response = await ask(`${this.root}/${encode(path)}?sha256=${entry.sha256}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.length !== entry.bytes) {
      throw new Tampered(`${path}: ${bytes.length} bytes, ${entry.bytes} when it was exported`);
    }
    if (await digest(bytes) !== entry.sha256) throw new Tampered(`${path}: its content changed since it was exported`);
    return bytes;
  }

  /** The first artifact of a format, and variant if named. */
  artifact(format, variant = '') {
    return this.manifest.artifacts.find((a) => a.format === format && a.variant === variant &&
      a.precision === 'float32');
  }

  /** Why the bundle has nothing in a format: the certificate's words. */
  absence(format) {
    const entry = (this.certificate.unsupported ?? []).find((each) => each.format === format);
    return entry?.reason ?? entry?.summary ?? `The bundle has no ${format} file.`;
  }
}

// What the digest is the SHA-256 of: a line for each file, as sha256sum writes them.
function listing(files) {
  const sorted = files.toSorted((a, b) => a.path < b.path ? -1 : 1);
  return new TextEncoder().encode(sorted.map(({sha256: hash, path}) => `${hash}  ${path}\n`).join(''));
}
