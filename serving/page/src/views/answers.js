// Every expected runtime's answer to one input, side by side.

import {h} from '../dom.js';
import {imageInput, paint} from '../images.js';
import {compare, classifier, floatBits} from '../judge/judge.js';
import {FLOAT32_BITS, takeRows} from '../judge/evidence.js';
import {argmax} from '../judge/measure.js';
import {Tampered} from '../bundle.js';
import {Missing, Runner, Unsupported} from '../runner.js';
import {expected} from '../runtimes.js';
import {all, milliseconds, percent, quantile, short, tiny} from '../text.js';
import {badge} from './badge.js';
import {device} from './device.js';

const WARMUP = 3;
const TIMING_SECONDS = 0.4;  // to spend on the times of one runtime
const [FEWEST, MOST] = [5, 40];
const SHOWN_VALUES = 6;

/** Which output is shown as probabilities: {name, classes}, or null. */
function distribution({signature: {outputs}}, evidence) {
  const name = classifier(evidence) ?? outputs.map(({name: each}) => each).find((each) => {
    const value = evidence.exact[each];
    return value?.shape.length === 2 && value.shape[1] > 1 && sumsToOne(value, evidence.regular);
  });
  return name && evidence.exact[name].shape[1] > 1 && sumsToOne(evidence.exact[name], evidence.regular) ?
    {name, classes: evidence.exact[name].shape[1]} : null;
}

const sumsToOne = ({shape, data}, rows) => Array.from({length: rows}, (_, row) =>
  data.subarray(row * shape[1], (row + 1) * shape[1]).reduce((a, b) => a + b, 0)).every((sum) => Math.abs(sum - 1) < 1e-3);

export class Answers {
  #evidence;
  #rows;
  #distribution;
  #first;
  #image;
  #seen;
  #turn = 0;
  #working = null;
  #waiting = null;
  #headline = h('div', {class: 'headline', role: 'status', 'aria-live': 'polite'});
  #values = h('details', {class: 'outputs'});

  constructor(bundle, evidence) {
    this.#evidence = evidence;
    this.#image = imageInput(bundle.signature, evidence);
    this.#seen = this.#image && h('canvas', {class: 'seen', role: 'img', 'aria-label': 'What the model sees'});
    this.#distribution = distribution(bundle, evidence);
    this.#first = bundle.signature.outputs[0].name;
    this.#rows = expected(bundle).map((entry) => this.#row(entry));
    this.element = h('section', {class: 'panel answers', 'aria-labelledby': 'answers-title'},
        h('h2', {id: 'answers-title'}, 'Answers'), this.#headline,
        h('ul', {class: 'lineup'}, this.#rows.map(({element}) => element)), this.#values,
        h('p', {class: 'hint'}, `p50 and p90 of one row, after ${WARMUP} calls that are not counted.`));
  }

  /** Ask all runtimes; a later question takes the place of this one. */
  ask(given) {
    this.#waiting = given;
    this.#turn++;
    this.element.dataset.finished = 'false';  // at once: what stands there still answers the last question
    this.#working ??= this.#work().finally(() => this.#working = null);
  }

  close() {
    this.#turn++;
    this.#waiting = null;
    for (const row of this.#rows) row.runner?.close();
  }

  async #work() {
    while (this.#waiting) {
      const given = this.#waiting;
      const turn = this.#turn;
      this.#waiting = null;
      if (this.#seen) paint(this.#seen, given.inputs[this.#image.name], this.#image);
      for (const row of this.#rows) {
        row.outputs = row.seconds = null;
        this.#draw(row, given);
      }
      // Answers first, then times: nobody waits for a median.
      for (const step of [this.#answer, this.#time]) {
        for (const row of this.#rows) {
          if (this.#turn !== turn) break;
          await step.call(this, row, given, () => this.#turn === turn);
          for (const each of this.#rows) this.#draw(each, given);
          this.#sum(given, step === this.#time);
        }
      }
    }
  }

  async #answer(row, given, current) {
    if (row.problem && row.final) return;
    row.state = row.runner ? 'asked' : 'loading';
    this.#draw(row, given);
    try {
      await this.#open(row);
      row.state = 'asked';
      const outputs = await row.runner.infer(given.inputs, row.entry.dynamic ? rowsOf(given) : 1);
      if (!current()) return;
      row.outputs = outputs;
      row.state = 'answered';
      row.problem = null;
    } catch (error) {
      row.problem = error;
      row.state = 'failed';
      // What is not here does not come while one looks; what broke is tried again with the next input.
      row.final = error instanceof Missing || error instanceof Unsupported || error instanceof Tampered;
      row.runner?.close();
      row.runner = null;
    }
  }

  async #open(row) {
    if (row.runner) return;
    await row.entry.prepare();
    row.runner = new Runner(row.entry.read);
    const {library, device: name, model} = row.entry;
    row.environment = await row.runner.open({library, device: name, model});
  }

  async #time(row, given, current) {
    if (!row.outputs) return;
    const one = Object.fromEntries(Object.entries(given.inputs).map(([name, value]) => [name, takeRows(value, [0])]));
    try {
      const [first] = await row.runner.time(one, 1, WARMUP);
      if (!current()) return;
      const calls = Math.max(FEWEST, Math.min(MOST, Math.floor(TIMING_SECONDS / first)));
      row.seconds = await row.runner.time(one, calls, 0);
    } catch (error) {
      row.problem = error;
      row.state = 'failed';
      row.outputs = null;
      row.runner?.close();
      row.runner = null;
    }
  }

  #row(entry) {
    const row = {entry, runner: null, environment: null, outputs: null, seconds: null, problem: null, final: false, state: 'waiting'};
    if (entry.absent) Object.assign(row, {problem: new Unsupported(entry.absent), final: true, state: 'failed'});
    const part = (name) => h('div', {class: name});
    row.parts = Object.fromEntries(['answer', 'bars', 'speed', 'off', 'about'].map((name) => [name, part(name)]));
    row.element = h('li', {'data-runtime': entry.id}, h('div', {class: 'who'}, h('strong', {}, entry.name), ' ', h('span', {class: 'device'}, entry.device)),
        row.parts.answer, row.parts.bars, row.parts.speed, row.parts.off, row.parts.about);
    return row;
  }

  #draw(row, given) {
    const {parts, element, state, outputs, seconds, problem} = row;
    element.dataset.state = state;
    for (const part of Object.values(parts)) part.replaceChildren();
    if (problem && !outputs) {
      parts.answer.append(badge(verdictOf(problem)));
      parts.about.append(problem.message);
      return;
    }
    if (!outputs) {
      parts.answer.append(h('span', {class: 'pending'}, state === 'loading' ? `loading ${row.entry.megabytes} MB…` :
        state === 'waiting' ? 'waiting…' : 'asked…'));
      if (row.environment) parts.about.append(...device(row.environment));
      return;
    }
    this.#drawAnswer(row);
    if (seconds) {
      parts.speed.append(h('span', {class: 'value'}, milliseconds(quantile(seconds, 0.5)), h('small', {}, ' ms')),
          h('small', {}, `p90 ${milliseconds(quantile(seconds, 0.9))}`));
      parts.speed.title = `${seconds.length} calls`;
    } else {
      parts.speed.append(h('small', {}, 'timing…'));
    }
    parts.off.append(...this.#deviation(row, given));
    parts.about.append(...device(row.environment));
  }

  #drawAnswer({parts, outputs}) {
    if (this.#distribution) {
      const values = [...outputs[this.#distribution.name].data.slice(0, this.#distribution.classes)];
      const top = argmax(values);
      parts.answer.append(h('span', {class: 'top'}, String(top)), h('small', {}, percent(values[top])));
      parts.bars.append(h('div', {class: 'bars', role: 'img',
        'aria-label': values.map((value, at) => `${at}: ${percent(value)}`).join(', ')},
      values.map((value, at) => h('i', {class: at === top ? 'top' : null, style: {'--p': Math.max(0, Math.min(1, value))}, title: `${at}: ${percent(value)}`}))));
      return;
    }
    const name = this.#first, value = outputs[name];  // libraries differ in the order of outputs
    const first = [...value.data.slice(0, SHOWN_VALUES)].map((each) => value.dtype === 'string' ?
      new TextDecoder().decode(each) : short(Number(each)));
    parts.answer.append(h('code', {}, first[0] ?? 'empty'));
    parts.bars.append(h('code', {class: 'list'}, `${name} = [${first.join(', ')}${value.data.length > SHOWN_VALUES ? ', …' : ''}]`));
  }

  // Off from the exact answer where there is one, else from the middle of the others.
  #deviation(row, {sample}) {
    if (sample !== null) {
      const found = compare(row.outputs, this.#budgeted(row, sample));
      const text = Number.isFinite(found.ulp) ? `${short(Number(found.ulp.toPrecision(2)))} of ${found.budget.toFixed(0)} ULP` : 'not finite';
      return [badge(found.status), h('small', {title: found.reason || `largest difference from the exact answer: ${tiny(found.maxAbs)}`}, text)];
    }
    const others = this.#rows.filter((each) => each !== row && each.outputs);
    if (!others.length) return [h('small', {}, 'nobody to compare with')];
    const largest = Math.max(...Object.keys(row.outputs).map((name) => fromMiddle(row, others, name)));
    return [h('span', {class: 'value'}, tiny(largest)), h('small', {}, 'from the others')];
  }

  #budgeted({environment}, sample) {
    const one = this.#evidence.take([sample]);
    const bits = floatBits(environment);
    return bits < FLOAT32_BITS ? one.coarser(bits) : one;
  }

  #sum(given, finished) {
    const answered = this.#rows.filter(({outputs}) => outputs);
    const missing = this.#rows.filter(({problem, outputs}) => problem && !outputs);
    const total = this.#rows.length;
    const parts = this.#seen ? [this.#seen] : [];
    if (this.#distribution && answered.length) {
      const tops = answered.map(({outputs}) => argmax(outputs[this.#distribution.name].data.slice(0, this.#distribution.classes)));
      const said = [...new Set(tops)];
      const text = said.length === 1 ? `${answered.length} of ${total} expected runtimes answered, all say ${said[0]}` :
        `${answered.length} of ${total} expected runtimes answered, and they do not agree: ${said.join(', ')}`;
      parts.push(h('span', {class: said.length === 1 ? 'said' : 'said split'}, said.join('/')));
      parts.push(h('p', {}, text, missing.length ? `; ${all(missing.map(({entry}) => entry.label))} did not.` : '.'));
      if (given.sample !== null && given.sample < this.#evidence.regular && this.#evidence.labels) {
        parts.push(h('small', {}, `label ${this.#evidence.labels[given.sample]}`));
      }
    } else {
      parts.push(h('p', {}, `${answered.length} of ${total} expected runtimes answered`,
          missing.length ? `; ${all(missing.map(({entry}) => entry.label))} did not.` : '.'));
    }
    this.#headline.replaceChildren(...parts);
    this.element.dataset.finished = String(finished && answered.length + missing.length === total &&
      answered.every(({seconds}) => seconds));
    this.#table(answered[0]?.outputs);
  }

  // All values of the first runtime that answered, for outputs that are no probabilities.
  #table(outputs) {
    const more = outputs && Object.entries(outputs).filter(([name]) => name !== this.#distribution?.name);
    if (!more?.length) {
      this.#values.replaceChildren();
      return;
    }
    this.#values.replaceChildren(h('summary', {}, 'All values'), ...more.map(([name, {dtype, shape, data}]) =>
      h('div', {}, h('h3', {}, h('code', {}, name), h('small', {}, ` ${dtype} [${shape}]`)),
          h('pre', {tabindex: '0'}, [...data.slice(0, 256)].map((value) => dtype === 'string' ? new TextDecoder().decode(value) :
            short(Number(value))).join('  '), data.length > 256 ? `  … ${data.length} values` : ''))));
  }
}

const rowsOf = ({inputs}) => Object.values(inputs)[0].shape[0];

const verdictOf = (problem) => problem instanceof Unsupported ? 'UNSUPPORTED' : problem instanceof Missing ? 'NOT_RUN' : 'FAIL';

// Largest difference from the median of the others' values.
function fromMiddle(row, others, name) {
  const {dtype, data} = row.outputs[name];
  if (dtype === 'string') return 0;
  let largest = 0;
  for (let at = 0; at < data.length; at++) {
    const values = others.map(({outputs}) => Number(outputs[name]?.data[at])).sort((a, b) => a - b);
    const half = values.length >> 1;
    const middle = values.length % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
    const off = Math.abs(Number(data[at]) - middle);
    largest = Math.max(largest, Number.isNaN(off) ? Infinity : off);
  }
  return largest;
}
