// Vendors' clients for Node: `node clients.mjs NAME INPUTS` prints the token that the client got as `{"token": "..."}`.
//
// INPUTS is a JSON object, which tests/sdks/vendors.rs writes. Each function is one client. It sets what points the
// client at the sandbox and leaves all else to the client's defaults. NODE_EXTRA_CA_CERTS names the root certificate.

import { readFileSync } from 'node:fs';
import { ConfidentialClientApplication } from '@azure/msal-node';
import { createAppAuth } from '@octokit/auth-app';
import { request } from '@octokit/request';
import BoxSDK from 'box-node-sdk';

const clients = {
  async 'octokit-auth-app'({ base, key, client_id, installation }) {
    const auth = createAppAuth({
      appId: client_id,
      privateKey: key,
      installationId: installation,
      request: request.defaults({ baseUrl: base }),
    });
    return (await auth({ type: 'installation' })).token;
  },

  async 'msal-node'({ base, key, tenant, client_id, sha256, scope }) {
    const authority = `${base}/${tenant}`;
    const app = new ConfidentialClientApplication({
      auth: {
        clientId: client_id,
        authority,
        knownAuthorities: [new URL(base).host], // without it the client asks Microsoft about the host
        protocolMode: 'OIDC',
        clientCertificate: { thumbprintSha256: sha256, privateKey: key },
      },
    });
    return (await app.acquireTokenByClientCredential({ scopes: [scope] })).accessToken;
  },

  async 'box-node-sdk'({ base, key, client_id, secret, enterprise, key_id }) {
    const sdk = new BoxSDK({
      clientID: client_id,
      clientSecret: secret,
      appAuth: { keyID: key_id, privateKey: key, passphrase: 'any' }, // it wants one for each key, encrypted or not,
      apiRootURL: base,
    });
    return (await sdk.getEnterpriseAppAuthTokens(enterprise)).accessToken;
  },
};

const [name, inputs] = process.argv.slice(2);
const { key_file, ...rest } = JSON.parse(inputs);
const token = await clients[name]({ key: readFileSync(key_file, 'utf8'), ...rest });
console.log(JSON.stringify({ token }));
