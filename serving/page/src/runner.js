// The page's side of a runtime's worker.

import Worker from './worker/runner.worker.js?worker';
import {Tampered} from './bundle.js';

const PATIENCE = 120_000;  // of one call, in milliseconds; software-rendered GPUs take their time

/** This device or browser does not have what a runtime needs: not the model's fault. */
export class Missing extends Error {}

/** The library says that it does not do this. */
export class Unsupported extends Error {}

/** One runtime with one model open. Calls are answered in their order. */
export class Runner {
  #worker;
  #calls = new Map();
  #next = 0;
  #ended = null;
  #refused = null;

  /** read(name) resolves to a file of the artifact as a Uint8Array. */
  constructor(read) {
    this.#worker = new Worker({name: 'isomer runtime'});
    this.#worker.addEventListener('message', ({data}) => data.need === undefined ? this.#answer(data) :
      this.#serve(read, data.need));
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.close(new Error(event.message || 'the runtime\'s worker cannot be loaded'));
    });
    this.#worker.addEventListener('messageerror', () => this.close(new Error('the runtime sent what cannot be read')));
  }

  /** What really runs. */
  async open(job) {
    return (await this.#call({do: 'open', ...job})).environment;
  }

  /** Outputs by name; seconds too, which the call took. */
  async infer(inputs, batch) {
    return (await this.#call({do: 'infer', inputs, batch})).outputs;
  }

  /** Seconds of each of so many runs, after a few that are not counted. */
  async time(inputs, calls, warmup) {
    return (await this.#call({do: 'time', inputs, calls, warmup})).seconds;
  }

  /** End the worker, and every call that waits with that error. */
  close(error = new Error('the runtime was closed')) {
    this.#ended ??= error;
    this.#worker.terminate();
    for (const {reject} of this.#calls.values()) reject(this.#ended);
    this.#calls.clear();
  }

  #call(job) {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#next++;
    const {promise, resolve, reject} = Promise.withResolvers();
    const timer = setTimeout(() => this.close(new Error(`no answer within ${PATIENCE / 1000} seconds`)), PATIENCE);
    const done = (settle) => (value) => {
      clearTimeout(timer);
      settle(value);
    };
    this.#calls.set(id, {resolve: done(resolve), reject: done(reject)});
    this.#worker.postMessage({id, ...job});
    return promise;
  }

  #answer({id, error, unavailable, unsupported, ...reply}) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (!call) return;
    if (error === undefined) call.resolve(reply);
    else if (this.#refused) call.reject(this.#refused);
    else call.reject(new (unavailable ? Missing : unsupported ? Unsupported : Error)(error));
  }

  async #serve(read, name) {
    try {
      const bytes = (await read(name)).slice().buffer;
      this.#worker.postMessage({file: name, bytes}, [bytes]);
    } catch (error) {
      if (error instanceof Tampered) this.#refused = error;
      this.#worker.postMessage({file: name, error: error.message});
    }
  }
}
