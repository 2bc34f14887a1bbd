// "Check this device": the bundle's goldens in every expected runtime, judged by the certificate's own budgets.

import {Tampered} from './bundle.js';
import {FLOAT32_BITS} from './judge/evidence.js';
import {className, floatBits, judgeCell, mayBeCoarse} from './judge/judge.js';
import {Missing, Runner, Unsupported} from './runner.js';
import {forRuntimes} from './tensors.js';

export const SCHEMA = 'isomer-device-certificate/1';

const empty = {
  verdict: 'NOT_RUN', reason: '', samples: 0, batches: [], repeat_equal: null, ulp_error: null, budget_ulp: null,
  max_abs_error: null, label_flips: 0, near_ties: 0, float_bits: null, budget_class: null, seconds: 0, environment: {},
};

/** One cell: open the artifact in its runtime on this device, judge it. Never throws: what goes wrong is a verdict. */
export async function checkCell(entry, evidence) {
  const cell = {
    ...empty, runtime: entry.runtime, device: entry.device, library: entry.library, format: entry.format,
    precision: 'float32', variant: entry.artifact?.variant ?? entry.variant, required: entry.required,
  };
  if (entry.absent) return {...cell, verdict: 'UNSUPPORTED', reason: entry.absent};
  const runner = new Runner(entry.read);
  const began = performance.now();
  try {
    await entry.prepare();
    cell.environment = await runner.open({library: entry.library, device: entry.device, model: entry.model});
    cell.float_bits = cell.environment.float_bits ?? null;
    const bits = floatBits(cell.environment);
    cell.budget_class = className(bits);
    if (bits < FLOAT32_BITS && !mayBeCoarse(entry.device)) {
      return {...cell, verdict: 'FAIL', seconds: since(began),
        reason: `the probe finds ${bits} significand bits in its arithmetic, where float32 has ${FLOAT32_BITS}`};
    }
    const found = await judgeCell({
      evidence: bits < FLOAT32_BITS ? evidence.coarser(bits) : evidence, dynamic: entry.dynamic,
      infer: (inputs, batch) => runner.infer(forRuntimes(inputs), batch),
    });
    if (found.verdict === 'PASS' && !found.reason && bits < FLOAT32_BITS) {
      found.reason = `Judged as ${cell.budget_class}: a probe found ${bits} significand bits in this device's arithmetic.`;
    }
    return {...cell, ...found, samples: evidence.rows, seconds: since(began)};
  } catch (error) {
    return {...cell, verdict: verdictOf(error), reason: error instanceof Missing || error instanceof Unsupported ||
      error instanceof Tampered ? error.message : `crashed: ${error.message}`, seconds: since(began)};
  } finally {
    runner.close();
  }
}

/** The verdict over all cells, and its reason. */
export function overall(cells) {
  const failed = cells.filter(({verdict}) => verdict === 'FAIL');
  if (failed.length) return {verdict: 'FAIL', reason: `${names(failed)} ${failed.length > 1 ? 'do' : 'does'} not pass.`};
  const missing = cells.filter(({required, verdict}) => required && (verdict === 'NOT_RUN' || verdict === 'INCONCLUSIVE'));
  const passed = cells.filter(({verdict}) => verdict === 'PASS');
  if (missing.length) return {verdict: 'INCONCLUSIVE', reason: `${names(missing)} should run in every browser, and ${
    missing.every(({verdict}) => verdict === 'NOT_RUN') ? 'did not' : 'proved nothing'}.`};
  if (!passed.length) return {verdict: 'INCONCLUSIVE', reason: 'No runtime passed.'};
  const rest = cells.length - passed.length;
  return {verdict: 'PASS', reason: `${passed.length} of ${cells.length} expected runtimes pass` +
    (rest ? `, ${rest} did not run here.` : '.')};
}

/** The document that a visitor takes away; serving/web/schemas/device-certificate.json specifies it. */
export function certificate(bundle, evidence, cells) {
  const {verdict, reason} = overall(cells);
  return {
    schema: SCHEMA,
    created: new Date().toISOString(),
    verdict,
    reason,
    bundle: {
      model: bundle.model,
      version: bundle.version,
      digest: bundle.manifest.digest,
      manifest_sha256: bundle.manifestHash,
      certificate_sha256: bundle.hash('certificate.json'),
      samples_sha256: bundle.hash('golden/samples.npz'),
    },
    samples: {rows: evidence.rows, regular: evidence.regular, awkward: [...evidence.awkward]},
    environment: environment(),
    cells,
  };
}

function environment() {
  const {userAgent, platform, hardwareConcurrency, deviceMemory, userAgentData} = navigator;
  return {
    user_agent: userAgent,
    platform: userAgentData?.platform || platform || '',
    mobile: userAgentData?.mobile ?? null,
    cores: hardwareConcurrency ?? null,
    memory_gib: deviceMemory ?? null,
    secure_context: isSecureContext,
    cross_origin_isolated: crossOriginIsolated,
    origin: location.origin,
  };
}

const since = (began) => Math.round(performance.now() - began) / 1000;

const verdictOf = (error) => error instanceof Missing ? 'NOT_RUN' : error instanceof Unsupported ? 'UNSUPPORTED' : 'FAIL';

const names = (cells) => cells.map(({runtime, device}) => `${runtime}/${device}`).join(', ');
