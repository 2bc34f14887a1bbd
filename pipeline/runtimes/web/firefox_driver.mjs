// A Firefox with one page, told what to do by lines of JSON on standard input; each is answered by one on standard output.
// Playwright drives only a Firefox of its own making; puppeteer drives the one that people have, by WebDriver BiDi.
// Usage: node firefox_driver.mjs NODE_MODULES FIREFOX

import {createRequire} from 'node:module';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {pathToFileURL} from 'node:url';

const [modules, executablePath] = process.argv.slice(2);
const found = createRequire(path.join(modules, 'isomer.cjs')).resolve('puppeteer-core');
const {launch} = await import(pathToFileURL(found));

const reply = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const words = (error) => String(error?.message ?? error).split('\n')[0];

let browser;
try {
  browser = await launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    protocolTimeout: 0,  // whoever runs the worker has a time limit
    // Off by default on Linux, and for adapters that are software.
    extraPrefsFirefox: {'dom.webgpu.enabled': true, 'gfx.webgpu.ignore-blocklist': true},
  });
} catch (error) {
  reply({error: words(error)});
  process.exit(1);
}
reply({version: (await browser.version()).replace(/^\D*/, ''), pid: browser.process().pid});

let page = null, said = [];

async function fresh(address) {
  await page?.close();
  said = [];
  page = await browser.newPage();
  page.on('console', (message) => said = [...said.slice(-4), message.text()]);
  page.on('pageerror', (error) => said = [...said.slice(-4), words(error)]);
  await page.goto(address, {waitUntil: 'load'});
  return {};
}

// A string: Firefox gives functions of the page's own world no access to what automation sends along.
const call = (verb, job) => page.evaluate(`isomer.${verb}(${JSON.stringify(job)})`);

for await (const line of createInterface({input: process.stdin})) {
  const {address, verb, job} = JSON.parse(line);
  try {
    reply(address ? await fresh(address) : await call(verb, job));
  } catch (error) {
    reply({ended: words(error), said});
  }
}
await browser.close();
