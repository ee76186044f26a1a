// Writes keys made by Node's crypto to the current directory.

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';

function make(name, type, bits, privateKeyEncoding) {
  const pair = generateKeyPairSync(type, { modulusLength: bits, privateKeyEncoding });
  const jwk = privateKeyEncoding.format === 'jwk';
  writeFileSync(`node-${name}`, jwk ? JSON.stringify(pair.privateKey) : pair.privateKey);
}

const passphrase = 'correct horse';
make('pkcs1.pem', 'rsa', 2048, { type: 'pkcs1', format: 'pem' });
make('pkcs1.der', 'rsa', 2048, { type: 'pkcs1', format: 'der' });
make('pkcs8.pem', 'rsa', 4096, { type: 'pkcs8', format: 'pem' });
make('pkcs8.der', 'rsa', 3072, { type: 'pkcs8', format: 'der' });
for (const cipher of ['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc']) {
  make(`encrypted-${cipher}.pem`, 'rsa', 2048, { type: 'pkcs8', format: 'pem', cipher, passphrase });
}
make('encrypted-proc-type.pem', 'rsa', 2048, { type: 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase });
make('pss.pem', 'rsa-pss', 2048, { type: 'pkcs8', format: 'pem' });
make('jwk.pem', 'rsa', 2048, { format: 'jwk' });
