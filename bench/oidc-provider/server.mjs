// The peer that introspect_vs_oidc_provider is held against: oidc-provider with its in-memory adapter, one
// client, one access token. Prints one line of JSON when it listens.
import { createRequire } from 'node:module';
import Provider from 'oidc-provider';

const require = createRequire(import.meta.url);
const port = Number(process.argv[2]);
const client = {
  client_id: 'bench', client_secret: 'bench0secret0bench0secret0bench0secret0bench0', grant_types: ['client_credentials'],
  redirect_uris: [], response_types: [], token_endpoint_auth_method: 'client_secret_basic',
};
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client],
  scopes: ['read', 'write'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
  },
  ttl: { ClientCredentials: 86400 },
});
provider.on('server_error', (ctx, error) => { console.error(error); });
provider.listen(port, '127.0.0.1', async () => {
  const user = `${client.client_id}:${client.client_secret}`;
  const response = await fetch(`http://127.0.0.1:${port}/token`, {
    method: 'POST',
    headers: { authorization: 'Basic ' + Buffer.from(user).toString('base64'), 'content-type': 'application/x-www-form-urlencoded' },
    body: 'grant_type=client_credentials&scope=read%20write',
  });
  const { access_token: token } = await response.json();
  console.log(JSON.stringify({
    path: '/token/introspection', user, token, version: require('oidc-provider/package.json').version, node: process.versions.node,
  }));
});
