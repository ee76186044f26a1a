// An access token with openid-client: discovery, then client_credentials with an assertion made by the library.
//
// The environment gives the parameters and the mistakes to make. Prints status and body.

import { readFileSync } from 'node:fs';
import { importPKCS8 } from 'jose';
import * as client from 'openid-client';

const { ISSUER, CLIENT, KEY, SECRET, ALG, SHIFT, AUDIENCE, JTI, SCOPE, ASSERTION } = process.env;

const mistakes = {
  [client.modifyAssertion](header, payload) {
    if (AUDIENCE) payload.aud = AUDIENCE;
    if (JTI) payload.jti = JTI;
  },
};
const authentication = KEY
  ? client.PrivateKeyJwt(await importPKCS8(readFileSync(KEY, 'utf8'), ALG ?? 'RS256'), mistakes)
  : client.ClientSecretJwt(SECRET, mistakes);
const metadata = { [client.clockSkew]: Number(SHIFT ?? 0) };
// The sandbox has no TLS.
const options = { execute: [client.allowInsecureRequests] };
const config = await client.discovery(new URL(ISSUER), CLIENT, metadata, authentication, options);
if (ASSERTION) {
  config[client.customFetch] = (url, request) => {
    request.body.set('client_assertion', ASSERTION);
    return fetch(url, request);
  };
}
try {
  const token = await client.clientCredentialsGrant(config, SCOPE ? { scope: SCOPE } : {});
  console.log(200);
  console.log(JSON.stringify(token));
} catch (error) {
  if (!(error instanceof client.ResponseBodyError)) throw error;
  console.log(error.status);
  console.log(JSON.stringify(error.cause));
}
