// An authorization server that nobody here wrote: oidc-provider with its in-memory adapter. Prints one line of JSON when it
// listens: a token of client_credentials, and the clients that may introspect.
// With a file of private keys as third argument it issues JWTs for whatever resource is asked for, signed by the first key
// that fits the algorithm in the resource's last part of the path.
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const [port, secret] = [Number(process.argv[2]), process.argv[3]];
const signing = process.argv[4];
const jwks = signing ? { jwks: JSON.parse(readFileSync(signing)) } : {};
const resource = (ctx, indicator) => ({
  scope: 'read write', audience: indicator, accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg: indicator.split('/').pop() } },
});
const client = (client_id, token_endpoint_auth_method) => ({
  client_id, client_secret: secret, grant_types: ['client_credentials'], redirect_uris: [], response_types: [], token_endpoint_auth_method,
});
// A fourth argument is a public key: that of the client "key", which authenticates by it.
const keyed = process.argv[5] ? [{ ...client('key', 'private_key_jwt'), client_secret: undefined, jwks: { keys: [JSON.parse(process.argv[5])] },
  token_endpoint_auth_signing_alg: JSON.parse(process.argv[5]).alg }] : [];
const provider = new Provider(`http://localhost:${port}`, {
  clients: [client('basic', 'client_secret_basic'), client('post', 'client_secret_post'), ...keyed],
  ...jwks,
  scopes: ['read', 'write'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    ...(signing ? { resourceIndicators: { enabled: true, getResourceServerInfo: resource } } : {}),
    revocation: { enabled: true, allowedPolicy: () => true },
  },
  ttl: { ClientCredentials: 600 },
});
provider.listen(port, '127.0.0.1', () => console.log(JSON.stringify({ ready: true })));
