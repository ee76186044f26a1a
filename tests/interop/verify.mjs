// A line of JSON in, a line out: what jose reads in an assertion, or the code of its error.

import { readFileSync } from 'node:fs';
import { errors, importSPKI, jwtVerify } from 'jose';

const keys = new Map();
async function key({ alg, key }) {
  if (!keys.has(key)) {
    keys.set(key, alg === 'HS256' ? new TextEncoder().encode(key) : await importSPKI(key, alg));
  }
  return keys.get(key);
}

// Texts marked as such and numbers as texts, so that no reader of JSON in between changes them.
function told(value) {
  if (typeof value === 'string') return `$${value}`;
  if (typeof value === 'number') return `#${value}`;
  if (Array.isArray(value)) return value.map(told);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, told(item)]));
}

for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const ask = JSON.parse(line);
  const options = {
    algorithms: [ask.alg],
    issuer: ask.iss,
    audience: ask.aud ?? undefined,
    requiredClaims: ask.require,
  };
  let answer;
  try {
    const { protectedHeader, payload } = await jwtVerify(ask.jwt, await key(ask), options);
    answer = { header: told(protectedHeader), claims: told(payload) };
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    answer = { error: error.code };
  }
  console.log(JSON.stringify(answer));
}
