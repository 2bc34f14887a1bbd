// The page's judge on outputs that a test wrote. Usage: node judge_cases.mjs samples.npz outputs.npz
//
// outputs.npz holds <case>/<call>/<output>: what a runtime answers at its first, second, ... call, and <case>/bits.

import fs from 'node:fs';

import {Evidence} from '../../serving/page/src/judge/evidence.js';
import {judgeCell} from '../../serving/page/src/judge/judge.js';
import {readNpz} from '../../serving/page/src/npz.js';

const [samples, outputs] = process.argv.slice(2).map((path) => readNpz(new Uint8Array(fs.readFileSync(path))));
const evidence = Evidence.from(samples);
const cases = {};
for (const [key, value] of Object.entries(outputs)) {
  const [name, call, output] = key.split('/');
  cases[name] ??= {calls: {}, bits: 24};
  if (call === 'bits') cases[name].bits = Number(value.data[0]);
  else (cases[name].calls[call] ??= {})[output] = value;
}
const results = {};
for (const [name, {calls, bits}] of Object.entries(cases)) {
  let call = 0;
  results[name] = await judgeCell({
    evidence: bits < 24 ? evidence.coarser(bits) : evidence, dynamic: true, infer: async () => calls[call++],
  });
}
process.stdout.write(JSON.stringify(results));
