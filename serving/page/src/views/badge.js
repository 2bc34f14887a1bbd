// A verdict as a word and a sign: never by colour alone.

import {h} from '../dom.js';

const SIGNS = {PASS: '✓', FAIL: '✗', INCONCLUSIVE: '?', NOT_RUN: '○', UNSUPPORTED: '–', RUNNING: '…', WAITING: '·'};

export const badge = (verdict) =>
  h('span', {class: `badge ${verdict.toLowerCase()}`}, h('span', {'aria-hidden': 'true'}, SIGNS[verdict] ?? '·'),
      ` ${verdict.replace('_', ' ')}`);
