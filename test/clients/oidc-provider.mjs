// An authorization server that nobody here wrote: oidc-provider with its in-memory adapter. Prints one line of JSON when it
// listens: a token of client_credentials, and the clients that may introspect.
// With a file of private keys as third argument it issues JWTs for whatever resource is asked for, signed by the first key
// that fits the algorithm in the resource's last part of the path.
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const [port, secret] = [Number(process.argv[2]), process.argv[3]];
const jwks = process.argv[4] ? { jwks: JSON.parse(readFileSync(process.argv[4])) } : {};
const resource = (ctx, indicator) => ({
  scope: 'read write', audience: indicator, accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg: indicator.split('/').pop() } },
});
const client = (client_id, token_endpoint_auth_method) => ({
  client_id, client_secret: secret, grant_types: ['client_credentials'], redirect_uris: [], response_types: [], token_endpoint_auth_method,
});
const provider = new Provider(`http://localhost:${port}`, {
  clients: [client('basic', 'client_secret_basic'), client('post', 'client_secret_post')],
  ...jwks,
  scopes: ['read', 'write'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    ...(process.argv[4] ? { resourceIndicators: { enabled: true, getResourceServerInfo: resource } } : {}),
    revocation: { enabled: true, allowedPolicy: () => true },
  },
  ttl: { ClientCredentials: 600 },
});
provider.listen(port, '127.0.0.1', () => console.log(JSON.stringify({ ready: true })));
