// Vendors' clients for Node: `node clients.mjs NAME INPUTS` prints what the client got or made, as a JSON object.
//
// INPUTS is a JSON object, which tests/sdks/vendors.rs writes. Each function is one client. It sets what points the
// client at the sandbox and leaves all else to the client's defaults. It returns the token that the client got, or, if
// the client cannot be pointed there, the assertion that it made. NODE_EXTRA_CA_CERTS names the root certificate.

import { mkdtempSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { ConfidentialClientApplication } from '@azure/msal-node';
import { createAppAuth } from '@octokit/auth-app';
import { request } from '@octokit/request';
import { Client as OktaClient } from '@okta/okta-sdk-nodejs';
import GhostAdminAPI from '@tryghost/admin-api';
import BoxSDK from 'box-node-sdk';

const clients = {
  async 'octokit-auth-app'({ base, key, client_id, installation }) {
    const auth = createAppAuth({
      appId: client_id,
      privateKey: key,
      installationId: installation,
      request: request.defaults({ baseUrl: base }),
    });
    const { token } = await auth({ type: 'installation' });
    return { token };
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
    const response = await app.acquireTokenByClientCredential({ scopes: [scope] });
    return { token: response.accessToken };
  },

  async 'box-node-sdk'({ base, key, client_id, secret, enterprise, key_id }) {
    const sdk = new BoxSDK({
      clientID: client_id,
      clientSecret: secret,
      appAuth: { keyID: key_id, privateKey: key, passphrase: 'any' }, // it wants one for each key, encrypted or not
      apiRootURL: base,
    });
    const tokens = await sdk.getEnterpriseAppAuthTokens(enterprise);
    return { token: tokens.accessToken };
  },

  async okta({ base, key, key_id, client_id, scope }) {
    const client = new OktaClient({
      orgUrl: base,
      authorizationMode: 'PrivateKey',
      clientId: client_id,
      scopes: [scope],
      privateKey: key,
      keyId: key_id,
    });
    return { token: (await client.oauth.getAccessToken()).access_token };
  },

  // The assertion is the token, so no server is needed to see it.
  async ghost({ secret }) {
    let assertion;
    const makeRequest = async ({ headers }) => {
      assertion = headers.Authorization.replace('Ghost ', '');
      return { data: { site: {} } };
    };
    const api = new GhostAdminAPI({ url: 'https://blog.example', key: secret, version: 'v5.0', makeRequest });
    await api.site.read();
    return { assertion, at: Date.now() / 1000 };
  },

  // If its login URL refuses it, the client tries Salesforce's own servers. So a server here accepts everything, and
  // the test sends the assertion to the sandbox.
  async salesforce({ key_file, client_id, user }) {
    process.env.HOME = mkdtempSync(join(process.env.HOME, 'salesforce-')); // it keeps what it got in files
    process.env.SF_DISABLE_LOG_FILE = 'true';
    process.env.SF_DISABLE_TELEMETRY = 'true';
    const { AuthInfo } = await import('@salesforce/core');
    const seen = {};
    const server = http.createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const assertion = new URLSearchParams(body).get('assertion');
      if (assertion) Object.assign(seen, { assertion, at: Date.now() / 1000 });
      const id = `${seen.url}/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS`;
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ access_token: '00Dxx0000001gPL!token', id, instance_url: seen.url }));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    seen.url = `http://127.0.0.1:${server.address().port}`;
    const oauth2Options = { clientId: client_id, loginUrl: seen.url, privateKey: key_file };
    await AuthInfo.create({ username: user, oauth2Options });
    return seen;
  },
};

const [name, text] = process.argv.slice(2);
const inputs = JSON.parse(text);
inputs.key = readFileSync(inputs.key_file, 'utf8');
console.log(JSON.stringify(await clients[name](inputs)));
process.exit(); // some clients keep a timer
