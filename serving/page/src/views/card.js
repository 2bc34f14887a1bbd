// The model at a glance: what it is, and what its certificate says.

import {h} from '../dom.js';
import {bytes, count, percent, shape, tiny} from '../text.js';
import {badge} from './badge.js';

const LINKS = [['report.html', 'Full report'], ['README.md', 'Model card'], ['certificate.json', 'certificate.json']];

const plural = (number, word) => `${count(number)} ${word}${number === 1 ? '' : 's'}`;

function summary({cells}) {
  const of = (required, verdict) => cells.filter((cell) => cell.required === required && cell.verdict === verdict).length;
  const required = cells.filter((cell) => cell.required).length;
  const parts = [`${of(true, 'PASS')} of ${required} required cells pass`];
  if (of(false, 'PASS')) parts.push(`${of(false, 'PASS')} optional pass`);
  const missing = cells.filter((cell) => cell.verdict === 'NOT_RUN').length;
  if (missing) parts.push(`${missing} not run`);
  return `${parts.join(', ')}.`;
}

const fact = (term, value, title = null) => value === null ? null : h('div', {title}, h('dt', {}, term), h('dd', {}, value));

function worst(cells) {
  const judged = cells.filter((cell) => cell.ulp_error !== null && cell.budget_ulp);
  const cell = judged.sort((a, b) => b.ulp_error / b.budget_ulp - a.ulp_error / a.budget_ulp)[0];
  return cell ? `${cell.ulp_error.toPrecision(3)} of ${cell.budget_ulp.toFixed(0)} ULP` : null;
}

function matrix({cells}) {
  const head = ['Verdict', 'File', 'Runtime', 'Error / budget', 'Largest |e|', 'Samples'];
  return h('details', {class: 'matrix'},
      h('summary', {}, `Certificate: all ${cells.length} cells`),
      h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Cells of the certificate'}, h('table', {},
          h('thead', {}, h('tr', {}, head.map((title) => h('th', {scope: 'col'}, title)))),
          h('tbody', {}, cells.map((cell) => h('tr', {},
              h('td', {}, badge(cell.verdict)),
              h('td', {}, [cell.format, cell.precision, cell.variant].filter(Boolean).join(' ')),
              h('td', {}, `${cell.runtime}/${cell.device}`,
                  cell.environment.adapter_is_software ? h('small', {}, ' software, not a GPU') : null),
              h('td', {class: 'number'}, cell.ulp_error === null ? h('small', {}, cell.reason) :
                `${cell.ulp_error.toPrecision(3)} / ${cell.budget_ulp.toFixed(0)}`),
              h('td', {class: 'number'}, cell.max_abs_error === null ? '' : tiny(cell.max_abs_error)),
              h('td', {class: 'number'}, cell.samples ? count(cell.samples) : ''),
          ))))));
}

function tensor(title, list) {
  return h('div', {}, h('dt', {}, title), list.map(({name, dtype, shape: sizes}) =>
    h('dd', {}, h('code', {}, name), h('small', {}, ` ${dtype} ${shape(sizes)}`))));
}

/** The head of the page for one bundle. */
export function card(bundle) {
  const {certificate, manifest, root} = bundle;
  const accuracy = certificate.cells.find((cell) => cell.accuracy !== null)?.accuracy ?? null;
  const total = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const {dataset} = certificate;
  return h('section', {class: 'hero', 'aria-labelledby': 'title'},
      h('div', {class: 'headline'},
          h('h1', {id: 'title'}, certificate.model, h('small', {}, ` version ${certificate.version}`)),
          h('p', {class: 'verdict'}, badge(certificate.status), h('span', {}, summary(certificate)))),
      h('dl', {class: 'facts'},
          fact('Parameters', count(certificate.parameters)),
          accuracy === null ? null : fact('Test accuracy', percent(accuracy),
              dataset ? `on ${dataset.name}${dataset.substitute ? ', a substitute' : ''}` : null),
          fact('Closest to its budget', worst(certificate.cells), 'The largest error of any cell, beside what it may be'),
          tensor(certificate.signature.inputs.length === 1 ? 'Input' : 'Inputs', certificate.signature.inputs),
          tensor(certificate.signature.outputs.length === 1 ? 'Output' : 'Outputs', certificate.signature.outputs),
          fact('Exported', new Date(certificate.created).toLocaleDateString('en', {dateStyle: 'medium'}),
              `${certificate.created}, isomer ${certificate.environment.isomer}`)),
      dataset?.notice ? h('p', {class: 'notice'}, dataset.notice) : null,
      matrix(certificate),
      h('p', {class: 'links'}, h('span', {title: `SHA-256 ${manifest.digest}`}, 'Bundle ', h('code', {}, manifest.digest.slice(0, 12)),
          `, ${plural(manifest.files.length, 'file')}, ${bytes(total)}`),
      LINKS.filter(([path]) => bundle.has(path)).map(([path, title]) =>
        [' · ', h('a', {href: `${root}/${path}`, target: '_blank', rel: 'noopener'}, title)])));
}
