// Reads lines of JSON. For each it prints what jose reads in the assertion, or the code of its error.

import { readFileSync } from 'node:fs';
import { errors, importSPKI, jwtVerify } from 'jose';

const keys = new Map();
async function key({ alg, key }) {
  if (!keys.has(key)) {
    keys.set(key, alg === 'HS256' ? new TextEncoder().encode(key) : await importSPKI(key, alg));
  }
  return keys.get(key);
}

// Marks strings and turns numbers into strings, so that no JSON reader changes them.
function tagged(value) {
  if (typeof value === 'string') return `$${value}`;
  if (typeof value === 'number') return `#${value}`;
  if (Array.isArray(value)) return value.map(tagged);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, tagged(item)]));
}

for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const input = JSON.parse(line);
  const options = {
    algorithms: [input.alg],
    issuer: input.iss,
    audience: input.aud ?? undefined,
    requiredClaims: input.require,
  };
  let result;
  try {
    const { protectedHeader, payload } = await jwtVerify(input.jwt, await key(input), options);
    result = { header: tagged(protectedHeader), claims: tagged(payload) };
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    result = { error: error.code };
  }
  console.log(JSON.stringify(result));
}
