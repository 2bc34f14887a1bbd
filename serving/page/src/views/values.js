// Any inputs as JSON, typed or from a file, beginning with a golden sample.

import {h, unique} from '../dom.js';
import {takeRows} from '../judge/evidence.js';
import {fromNested, toNested} from '../tensors.js';

const LONGEST = 1 << 20;

export class Values {
  #signature;
  #give;
  #text;
  #status = h('p', {class: 'hint', role: 'status'});

  constructor(signature, evidence, give) {
    this.#signature = signature;
    this.#give = give;
    const [area, file] = [unique('json'), unique('file')];
    this.#text = h('textarea', {id: area, rows: '12', spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off'});
    this.#text.value = example(evidence);
    const field = h('input', {type: 'file', id: file, accept: '.json,application/json', onchange: () => this.#load(field.files[0])});
    this.element = h('div', {class: 'values'},
        h('label', {for: area}, 'Inputs by name, with the batch as the first dimension'), this.#text,
        h('div', {class: 'row'}, h('button', {type: 'button', class: 'primary', onclick: () => this.#take()}, 'Run'),
            h('label', {class: 'button', for: file}, 'Load a JSON file'), field), this.#status);
    field.classList.add('hidden');
  }

  async #load(file) {
    if (!file) return;
    this.#text.value = (await file.text()).slice(0, LONGEST);
    this.#take();
  }

  #take() {
    try {
      const given = JSON.parse(this.#text.value);
      const {inputs} = this.#signature;
      const unknown = Object.keys(given).filter((name) => !inputs.some((input) => input.name === name));
      const missing = inputs.filter(({name}) => !(name in given));
      if (unknown.length) throw new Error(`the model has no input '${unknown[0]}'`);
      if (missing.length) throw new Error(`input '${missing[0].name}' is missing`);
      const tensors = Object.fromEntries(inputs.map((input) => [input.name, fromNested(given[input.name], input)]));
      if (new Set(Object.values(tensors).map(({shape}) => shape[0])).size > 1) throw new Error('the inputs\' batches differ');
      this.#status.textContent = '';
      this.#give({inputs: tensors, sample: null});
    } catch (error) {
      this.#status.textContent = `Not run: ${error.message}.`;
    }
  }
}

// Innermost lists on one line.
function example({inputs}) {
  const nested = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, toNested(takeRows(value, [0]))]));
  return JSON.stringify(nested, null, 1).replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_, items) => `[${items.replace(/\s+/g, ' ')}]`);
}
