// One button that re-runs the bundle's goldens on the visitor's own device.

import {certificate, checkCell, overall} from '../checking.js';
import {h} from '../dom.js';
import {expected} from '../runtimes.js';
import {bytes, short} from '../text.js';
import {badge} from './badge.js';
import {device} from './device.js';

const WORDS = {
  PASS: 'This device computes this model correctly.',
  FAIL: 'This device does not compute this model correctly.',
  INCONCLUSIVE: 'This device proves nothing yet.',
};

export class DeviceCheck {
  #bundle;
  #evidence;
  #stopped = false;
  #button = h('button', {type: 'button', class: 'primary large', onclick: () => this.#run()}, 'Check this device');
  #result = h('div', {class: 'result', role: 'status', 'aria-live': 'polite'});
  #list = h('ul', {class: 'cells'});

  constructor(bundle, evidence) {
    this.#bundle = bundle;
    this.#evidence = evidence;
    const entries = expected(bundle);
    this.element = h('section', {class: 'panel check', 'aria-labelledby': 'check-title'},
        h('div', {class: 'pitch'}, h('div', {},
            h('h2', {id: 'check-title'}, 'Is it still the same model here?'),
            h('p', {}, `Runs the ${evidence.rows} golden samples in ${entries.length} runtimes of this very browser, in ` +
              'batches and one by one, twice, and judges every answer against the float64 oracle with the certificate\'s ' +
              'own budgets.')), this.#button),
        isSecureContext ? null : h('p', {class: 'notice'}, 'This page came over plain HTTP from another machine: browsers ' +
          'then switch off WebGPU and offline use. Over HTTPS (--tls-certificate) they are there.'),
        this.#result, this.#list);
  }

  close() {
    this.#stopped = true;
  }

  async #run() {
    this.#button.disabled = true;
    this.element.dataset.finished = 'false';
    this.#result.replaceChildren(h('p', {class: 'pending'}, 'Checking…'));
    const entries = expected(this.#bundle);
    const rows = entries.map((entry) => row(entry));
    this.#list.replaceChildren(...rows.map(({element}) => element));
    const cells = [];
    for (const [at, entry] of entries.entries()) {
      if (this.#stopped) return;
      rows[at].show({verdict: 'RUNNING'});
      cells.push(await checkCell(entry, this.#evidence));
      rows[at].show(cells[at]);
      this.#result.replaceChildren(h('p', {class: 'pending'}, `Checking… ${at + 1} of ${entries.length}`));
    }
    this.#conclude(certificate(this.#bundle, this.#evidence, cells), overall(cells));
    this.#button.disabled = false;
    this.#button.textContent = 'Check again';
    this.element.dataset.finished = 'true';
  }

  #conclude(document, {verdict, reason}) {
    const text = JSON.stringify(document, null, 1);
    const name = `device-certificate-${document.bundle.model}-${document.bundle.version}.json`;
    const file = new Blob([text], {type: 'application/json'});
    const link = h('a', {class: 'button', href: URL.createObjectURL(file), download: name}, 'Download the device certificate',
        h('small', {}, ` ${bytes(file.size)}`));
    this.#result.replaceChildren(h('div', {class: `banner ${verdict.toLowerCase()}`, 'data-verdict': verdict}, badge(verdict),
        h('div', {}, h('strong', {}, WORDS[verdict]), h('p', {}, reason)), link));
  }
}

function row(entry) {
  const [verdict, meter, about] = ['verdict', 'meter', 'about'].map((name) => h('div', {class: name}));
  const element = h('li', {'data-runtime': entry.id}, verdict,
      h('div', {class: 'who'}, h('strong', {}, entry.name), ' ', h('span', {class: 'device'}, entry.device)), meter, about);
  const show = (cell) => {
    element.dataset.verdict = cell.verdict;
    verdict.replaceChildren(badge(cell.verdict));
    about.replaceChildren(...(cell.environment ? device(cell.environment) : []), cell.reason ?? '');
    meter.replaceChildren();
    if (typeof cell.ulp_error !== 'number' || !cell.budget_ulp) return;
    const share = Math.min(1, cell.ulp_error / cell.budget_ulp);
    meter.append(h('div', {class: 'gauge', 'aria-hidden': 'true'}, h('i', {style: {'--p': share}})),
        h('small', {}, `${short(Number(cell.ulp_error.toPrecision(3)))} of ${cell.budget_ulp.toFixed(0)} ULP`));
  };
  show({verdict: 'WAITING'});
  return {element, show};
}
