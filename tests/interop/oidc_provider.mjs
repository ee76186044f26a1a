// oidc-provider on loopback: `node oidc_provider.mjs KEYS NAME=PORT[,CERTIFICATE]...`
//
// The library authenticates clients. It does not have the grant of RFC 7523 §2.1, which this file adds in the way that
// the documents of the library describe. `jose` checks its assertions. PORT 0 selects a free port, and CERTIFICATE
// selects TLS. The program prints NAME=URL for each and `ready`, and exits when its standard input ends.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { jwtVerify } from 'jose';
import { Provider, errors } from 'oidc-provider';

const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const USERS = ['alice'];
const LEEWAY = 15; // seconds, the same as the library allows for a client assertion

const [keys, ...listeners] = process.argv.slice(2);
const file = (name) => readFileSync(`${keys}/${name}`);
const clientKey = createPublicKey(file('client.pub.pem'));
const jwk = (key, kid) => ({ ...key.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' });
const secret = file('secret.txt').toString();

function provider(issuer) {
  const client = { redirect_uris: [], response_types: [], scope: 'read write' };
  const withKey = { jwks: { keys: [jwk(clientKey, 'client-key-1')] } };
  const server = new Provider(issuer, {
    jwks: { keys: [jwk(createPrivateKey(file('server.pem')), 'server-key-1')] },
    scopes: ['read', 'write', 'admin'],
    clientAuthMethods: ['none', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt'],
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      devInteractions: { enabled: false },
    },
    ttl: { ClientCredentials: 300 },
    clients: [
      { ...client, ...withKey, client_id: 'pkjwt', grant_types: ['client_credentials'],
        token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'RS256' },
      { ...client, client_id: 'csjwt', client_secret: secret, grant_types: ['client_credentials'],
        token_endpoint_auth_method: 'client_secret_jwt', token_endpoint_auth_signing_alg: 'HS256' },
      { ...client, ...withKey, client_id: 'bearer', grant_types: [GRANT], token_endpoint_auth_method: 'none' },
      // A resource server, which introspects tokens.
      { ...client, client_id: 'api', client_secret: secret, grant_types: [],
        token_endpoint_auth_method: 'client_secret_post' },
    ],
  });

  const usedJtis = new Set();
  server.registerGrantType(GRANT, async (ctx) => {
    const { client, params } = ctx.oidc;
    const refuse = (reason) => { throw new errors.InvalidGrant(reason); };
    const { payload } = await jwtVerify(params.assertion ?? '', clientKey, {
      algorithms: ['RS256'],
      issuer: client.clientId,
      audience: [issuer, `${issuer}/token`],
      requiredClaims: ['sub', 'exp', 'iat', 'jti'],
      clockTolerance: LEEWAY,
    }).catch((error) => refuse(error.message));
    if (payload.iat > Date.now() / 1000 + LEEWAY) refuse('iat is in the future');
    if (!USERS.includes(payload.sub)) refuse('no such subject');
    if (usedJtis.has(payload.jti)) refuse('assertion was used before');
    usedJtis.add(payload.jti);
    const scopes = params.scope?.split(' ') ?? [];
    if (scopes.some((scope) => !client.scope.split(' ').includes(scope))) {
      throw new errors.InvalidScope('requested scope is not allowed', params.scope);
    }
    const token = new server.ClientCredentials({ client, scope: params.scope });
    ctx.oidc.entity('ClientCredentials', token);
    ctx.body = {
      access_token: await token.save(),
      expires_in: token.expiration,
      token_type: token.tokenType,
      scope: token.scope,
    };
  }, ['assertion', 'scope']);

  // The error response is the same for every cause. The log names the cause, and so does a header for the tests.
  server.on('grant.error', (ctx, error) => {
    const cause = error.error_detail ?? error.cause?.message ?? '';
    console.error(error.error, error.error_description, cause);
    ctx.set('X-Cause', cause);
  });
  server.on('server_error', (_, error) => console.error(error));
  return server;
}

for (const listener of listeners) {
  const [name, port, certificate] = listener.split(/[=,]/);
  const server = certificate
    ? https.createServer({ key: file(`${certificate}.key.pem`), cert: file(`${certificate}.pem`) })
    : http.createServer();
  await new Promise((ready) => { server.listen(Number(port), '127.0.0.1', ready); });
  const origin = certificate ? 'https://localhost' : 'http://127.0.0.1';
  const issuer = `${origin}:${server.address().port}`;
  server.on('request', provider(issuer).callback());
  console.log(`${name}=${issuer}`);
}
console.log('ready');
process.stdin.on('end', () => process.exit()).resume();
