// The golden samples of the bundle: rows whose exact answers are known.

import {h} from '../dom.js';
import {paint} from '../images.js';
import {takeRows} from '../judge/evidence.js';
import {forRuntimes} from '../tensors.js';

export class Samples {
  #evidence;
  #give;
  #buttons;

  constructor(image, evidence, give) {
    this.#evidence = evidence;
    this.#give = give;
    this.#buttons = Array.from({length: evidence.rows}, (_, row) => this.#button(row, image));
    this.element = h('div', {}, h('div', {class: image ? 'samples pictures' : 'samples'}, this.#buttons),
        h('p', {class: 'hint'}, 'Real rows, close calls and awkward ones, whose exact answers travel with the bundle: each ' +
          'answer is judged at once.'));
  }

  /** Give one row to the model. */
  choose(row) {
    this.#buttons.forEach((button, at) => button.setAttribute('aria-pressed', String(at === row)));
    this.#give({inputs: forRuntimes(this.#rows(row)), sample: row});
  }

  #rows(row) {
    return Object.fromEntries(Object.entries(this.#evidence.inputs).map(([name, value]) => [name, takeRows(value, [row])]));
  }

  #button(row, image) {
    const {regular, labels, awkward} = this.#evidence;
    const title = row >= regular ? awkward[row - regular] : labels ? String(labels[row]) : `row ${row + 1}`;
    const picture = image && h('canvas', {'aria-hidden': 'true'});
    if (image) paint(picture, this.#rows(row)[image.name], image);
    return h('button', {type: 'button', 'aria-pressed': 'false', class: row >= regular ? 'awkward' : null,
      'aria-label': `Sample ${row + 1}: ${title}`, onclick: () => this.choose(row)}, picture, h('span', {}, title));
  }
}
