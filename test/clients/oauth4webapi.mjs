// A client that no one here wrote: oauth4webapi against a running server, the way its users use it.
//   node oauth4webapi.mjs ISSUER CLIENT_ID CLIENT_SECRET RS_ID RS_SECRET
// Discovers, gets a token by client_credentials, introspects, revokes, introspects. Prints one line of JSON.
import * as oauth from 'oauth4webapi';

const [issuerText, clientId, clientSecret, rsId, rsSecret] = process.argv.slice(2);
const issuer = new URL(issuerText);
const discovery = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' });
const as = await oauth.processDiscoveryResponse(issuer, discovery);

const client = { client_id: clientId };
const auth = oauth.ClientSecretBasic(clientSecret);
const grant = await oauth.clientCredentialsGrantRequest(as, client, auth, new URLSearchParams({ scope: 'read' }));
const token = await oauth.processClientCredentialsResponse(as, client, grant);

const rs = { client_id: rsId };
const rsAuth = oauth.ClientSecretBasic(rsSecret);
const introspect = async () =>
  oauth.processIntrospectionResponse(as, rs, await oauth.introspectionRequest(as, rs, rsAuth, token.access_token));

const before = await introspect();
await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, token.access_token));
const after = await introspect();
console.log(JSON.stringify({ token_type: token.token_type, scope: token.scope, before, after }));
