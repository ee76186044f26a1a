// openid-client. NODE_EXTRA_CA_CERTS names a private root certificate.
import { readFileSync } from 'node:fs'
import { importPKCS8 } from 'jose'
import * as client from 'openid-client'

const [key, url] = process.argv.slice(2)
const server = { issuer: new URL(url).origin, token_endpoint: url }
const privateKey = await importPKCS8(readFileSync(key, 'utf8'), 'RS256')
const configuration = new client.Configuration(server, 'client-1', undefined, client.PrivateKeyJwt(privateKey))
if (url.startsWith('http:')) client.allowInsecureRequests(configuration)
const token = await client.clientCredentialsGrant(configuration)
console.log(token.access_token)
