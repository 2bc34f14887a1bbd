// A row of numbers: a slider and a field for each.

import {h, unique} from '../dom.js';
import {short} from '../text.js';

const MOST = 64;

/** The one input that is a row of numbers: {name, dtype, length}, or null. */
export function vectorInput({inputs}) {
  const [{name, dtype, shape}] = inputs;
  const fits = inputs.length === 1 && shape.length === 2 && shape[1] >= 1 && shape[1] <= MOST && /^(float|u?int)/.test(dtype);
  return fits ? {name, dtype, length: shape[1]} : null;
}

export class Vector {
  constructor({name, dtype, length}, {inputs, regular}, give) {
    const {data} = inputs[name];
    const whole = !dtype.startsWith('float');
    const values = Array.from({length}, (_, at) => Number(data[at]));
    const tell = () => give({inputs: {[name]: {dtype: whole ? 'int32' : 'float32', shape: [1, length],
      data: (whole ? Int32Array : Float32Array).from(values)}}, sample: null});
    this.element = h('div', {class: 'sliders'}, values.map((value, at) => {
      const column = Array.from({length: regular}, (_, row) => Number(data[row * length + at]));
      const [low, high] = [Math.min(...column), Math.max(...column)];
      const id = unique('feature');
      const change = (from, to) => {
        if (!Number.isFinite(from.valueAsNumber)) return;
        values[at] = from.valueAsNumber;
        to.value = short(values[at]);
        tell();
      };
      const slider = h('input', {type: 'range', id, min: low, max: high, step: whole ? 1 : 'any', value,
        oninput: () => change(slider, field)});
      const field = h('input', {type: 'number', step: whole ? 1 : 'any', value: short(value), 'aria-label': `${name} ${at}, exactly`,
        onchange: () => change(field, slider)});
      return h('div', {class: 'slider'}, h('label', {for: id}, `${name}[${at}]`), slider, field);
    }));
  }
}
