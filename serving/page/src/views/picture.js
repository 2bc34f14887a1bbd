// An image file, chosen or dropped.

import {h, unique} from '../dom.js';
import {decode, edge, fitted, toTensor} from '../images.js';

export class Picture {
  #image;
  #give;
  #status = h('p', {class: 'hint', role: 'status'});
  #picture = null;
  // A photograph of ink on paper, for a model of light strokes on dark, is turned round; the visitor may think otherwise.
  #inverted = h('input', {type: 'checkbox', onchange: () => this.#show()});

  constructor(image, give) {
    this.#image = image;
    this.#give = give;
    const id = unique('file');
    const field = h('input', {type: 'file', id, accept: 'image/*', onchange: () => field.files[0] && this.#take(field.files[0])});
    const zone = h('div', {
      class: 'drop',
      ondragover: (event) => {
        event.preventDefault();
        zone.classList.add('over');
      },
      ondragleave: () => zone.classList.remove('over'),
      ondrop: (event) => {
        event.preventDefault();
        zone.classList.remove('over');
        if (event.dataTransfer.files[0]) this.#take(event.dataTransfer.files[0]);
      },
    }, h('label', {for: id}, 'Choose a picture, or drop one here'), field);
    const channels = {1: 'grey', 3: 'RGB', 4: 'RGBA'}[image.channels];
    this.element = h('div', {}, zone, h('p', {class: 'hint'}, `Its middle is scaled to ${image.height} × ${image.width}, ` +
      `${channels}, values ${image.low} to ${image.high}, as the golden samples have them.`),
    image.channels === 1 ? h('label', {class: 'choice'}, this.#inverted, 'Dark and light exchanged') : null, this.#status);
  }

  async #take(file) {
    try {
      this.#picture = fitted(await decode(file), this.#image);
    } catch (error) {
      this.#status.textContent = `${file.name} cannot be read as a picture: ${error.message}`;
      return;
    }
    this.#status.textContent = file.name;
    this.#inverted.checked = this.#image.channels === 1 && (edge(this.#picture) < 0.5) !== this.#image.dark;
    this.#show();
  }

  #show() {
    if (!this.#picture) return;
    const data = this.#inverted.checked ? this.#picture.data.map((value) => 1 - value) : this.#picture.data;
    const tensor = toTensor({...this.#picture, data}, this.#image);
    this.#give({inputs: {[this.#image.name]: tensor}, sample: null});
  }
}
