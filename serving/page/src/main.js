// What is shown: one bundle of the server, chosen by the address behind the hash (#/cnn/1).

import {Bundle} from './bundle.js';
import {h} from './dom.js';
import {Evidence} from './judge/evidence.js';
import {readNpz} from './npz.js';
import {bundles, setToken, Unauthorized} from './server.js';
import {startTheme} from './theme.js';
import {Answers} from './views/answers.js';
import {card} from './views/card.js';
import {DeviceCheck} from './views/check.js';
import {inputs} from './views/inputs.js';

const main = document.querySelector('#main');
const picker = document.querySelector('#picker');

let shown = null;  // {key, close}

startTheme(document.querySelector('#theme'));

function watchConnection() {
  const show = () => document.querySelector('#offline').toggleAttribute('hidden', navigator.onLine);
  addEventListener('online', show);
  addEventListener('offline', show);
  show();
}

const key = ({model, version}) => `#/${encodeURIComponent(model)}/${version}`;

function pick(list, chosen) {
  picker.replaceChildren(...list.map((entry) => h('a', {
    href: key(entry), class: entry.reason ? 'refused' : null, 'aria-current': entry === chosen ? 'page' : null,
    title: entry.reason ? 'refused by the server' : null,
  }, entry.model, h('small', {}, ` ${entry.version}`))));
  picker.querySelector('[aria-current]')?.scrollIntoView({block: 'nearest', inline: 'nearest'});
}

function problem(title, text, ...more) {
  main.replaceChildren(h('section', {class: 'panel problem', role: 'alert'}, h('h1', {}, title), h('p', {}, text), more));
}

function askToken() {
  const field = h('input', {type: 'password', id: 'token', autocomplete: 'current-password', required: true});
  problem('This server wants a token', 'It answers only requests that carry the token of its --token-file. The token ' +
    'stays in this tab.', h('form', {class: 'row', onsubmit: (event) => {
    event.preventDefault();
    setToken(field.value.trim());
    start();
  }}, h('label', {for: 'token'}, 'Token'), field, h('button', {type: 'submit', class: 'primary'}, 'Open')));
}

async function show(list) {
  const chosen = list.find((entry) => key(entry) === location.hash) ?? list.find((entry) => !entry.reason) ?? list[0];
  pick(list, chosen);
  if (shown?.key === key(chosen)) return;
  shown?.close();
  const current = shown = {key: key(chosen), close: () => {}};
  document.title = `${chosen.model} · isomer`;
  if (chosen.reason) {
    problem(`${chosen.model} ${chosen.version} is refused`, `The server does not serve this version: ${chosen.reason}`);
    return;
  }
  main.replaceChildren(h('p', {class: 'loading', role: 'status'}, `Opening ${chosen.model}…`));
  let bundle, evidence;
  try {
    bundle = await Bundle.open(chosen.model, chosen.version);
    evidence = Evidence.from(readNpz(await bundle.read('golden/samples.npz')));
  } catch (error) {
    if (error instanceof Unauthorized) throw error;
    if (shown === current) problem(`${chosen.model} ${chosen.version} cannot be opened`, error.message);
    return;
  }
  if (shown !== current) return;
  const answers = new Answers(bundle, evidence);
  const check = new DeviceCheck(bundle, evidence);
  const input = inputs(bundle, evidence, (given) => answers.ask(given));
  main.replaceChildren(card(bundle), h('div', {class: 'bench'}, input.element, answers.element), check.element);
  current.close = () => {
    answers.close();
    check.close();
  };
  input.begin();
}

async function start() {
  try {
    const list = await bundles();
    if (!list.length) {
      problem('No models yet', 'This server has no bundle to show. Export one, such as `isomer export cnn`.');
      return;
    }
    onhashchange = () => show(list).catch(fail);
    await show(list);
  } catch (error) {
    fail(error);
  }
}

function fail(error) {
  if (error instanceof Unauthorized) askToken();
  else problem('The models cannot be listed', error.message);
}

watchConnection();
if ('serviceWorker' in navigator) navigator.serviceWorker.register('/service-worker.js').catch(() => {});
start();
