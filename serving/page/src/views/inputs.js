// What a visitor gives the model: tabs of the ways that fit its inputs.

import {h, unique} from '../dom.js';
import {imageInput} from '../images.js';
import {Draw} from './draw.js';
import {Numbers, sequenceInput} from './numbers.js';
import {Picture} from './picture.js';
import {Samples} from './samples.js';
import {Values} from './values.js';
import {Vector, vectorInput} from './vector.js';

function ways(bundle, evidence, give) {
  const {signature} = bundle;
  const image = imageInput(signature, evidence);
  const found = [];
  if (image && image.channels === 1 && image.height <= 64) found.push(['Draw', new Draw(image, give)]);
  if (image) found.push(['Picture', new Picture(image, give)]);
  const vector = vectorInput(signature);
  if (vector) found.push(['Sliders', new Vector(vector, evidence, give)]);
  const sequence = sequenceInput(signature);
  if (sequence) found.push(['Numbers', new Numbers(sequence, evidence, give)]);
  found.push(['Samples', new Samples(image, evidence, give)]);
  found.push(['Values', new Values(signature, evidence, give)]);
  return found;
}

/**
 * The panel with all ways; give({inputs, sample}) is called with each input: sample is the golden row that it is, or null.
 *
 * Returns {element, begin}: begin() gives the first input, a golden sample.
 */
export function inputs(bundle, evidence, give) {
  const found = ways(bundle, evidence, give);
  const tabs = [], panels = [];
  const open = (chosen, focus) => found.forEach((_, at) => {
    tabs[at].setAttribute('aria-selected', String(at === chosen));
    tabs[at].tabIndex = at === chosen ? 0 : -1;
    panels[at].hidden = at !== chosen;
    if (at === chosen && focus) tabs[at].focus();
  });
  const STEPS = {ArrowRight: 1, ArrowLeft: -1};
  found.forEach(([title, way], at) => {
    const ids = [unique('tab'), unique('panel')];
    tabs.push(h('button', {
      type: 'button', role: 'tab', id: ids[0], 'aria-controls': ids[1], onclick: () => open(at),
      onkeydown: (event) => {
        if (STEPS[event.key]) open((at + STEPS[event.key] + found.length) % found.length, true);
      },
    }, title));
    panels.push(h('div', {role: 'tabpanel', id: ids[1], 'aria-labelledby': ids[0]}, way.element));
  });
  open(0);
  const element = h('section', {class: 'panel input', 'aria-labelledby': 'input-title'},
      h('h2', {id: 'input-title'}, 'Input'), h('div', {role: 'tablist', 'aria-label': 'Ways to give an input'}, tabs), panels);
  return {element, begin: () => found.find(([title]) => title === 'Samples')[1].choose(0)};
}
