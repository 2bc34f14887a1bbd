// A sequence of whole numbers, such as a tokenizer's: typed one after the other, beginning with a golden sample.

import {h, unique} from '../dom.js';
import {takeRows} from '../judge/evidence.js';
import {fromNested, toNested} from '../tensors.js';

/** The one input that is a sequence of whole numbers, as the signature has it; or null. */
export function sequenceInput({inputs}) {
  const [{dtype, shape}] = inputs;
  return inputs.length === 1 && shape.length === 2 && /^u?int/.test(dtype) ? inputs[0] : null;
}

export class Numbers {
  #input;
  #give;
  #field;
  #status = h('p', {class: 'hint', role: 'status'});

  constructor(input, {inputs}, give) {
    this.#input = input;
    this.#give = give;
    const id = unique('numbers'), [, length] = input.shape;
    this.#field = h('textarea', {id, rows: '6', spellcheck: 'false', autocomplete: 'off', inputmode: 'numeric'});
    this.#field.value = toNested(takeRows(inputs[input.name], [0]))[0].join(' ');
    const range = input.range ? `, ${input.range[0]} to ${input.range[1]}` : '';
    this.element = h('div', {class: 'values'},
        h('label', {for: id}, `${input.name}: ${length ?? 'any count of'} whole numbers${range}`), this.#field,
        h('div', {class: 'row'}, h('button', {type: 'button', class: 'primary', onclick: () => this.#take()}, 'Run')),
        this.#status);
  }

  #take() {
    try {
      const words = this.#field.value.split(/[\s,;]+/).filter(Boolean);
      const odd = words.find((word) => !/^[-+]?\d+$/.test(word));
      if (odd !== undefined) throw new Error(`'${odd}' is no whole number`);
      if (!words.length) throw new Error('there are no numbers');
      const tensor = fromNested([words.map(Number)], this.#input);
      this.#status.textContent = '';
      this.#give({inputs: {[this.#input.name]: tensor}, sample: null});
    } catch (error) {
      this.#status.textContent = `Not run: ${error.message}.`;
    }
  }
}
