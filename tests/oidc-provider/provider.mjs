// A real OpenID provider for the tests. Anybody signs in by the name of a user there is; who is one, and with which roles, is said
// over /control. Arguments: the port.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const port = Number(process.argv[2]);
const users = new Map();
const answers = new Map();
const secret = "canary-client-secret-71f3";

// Each keeps roles elsewhere, as providers do: in userinfo, in the ID token; or gives no refresh token.
const client = (client_id) => ({
  client_id,
  client_secret: secret,
  token_endpoint_auth_method: "client_secret_post",
  grant_types: ["authorization_code", "refresh_token"],
  redirect_uris: ["http://127.0.0.1/signin-oidc"],
  post_logout_redirect_uris: ["http://127.0.0.1/signout-callback-oidc"],
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client("roles-in-userinfo"), client("roles-in-id-token"), client("no-refresh-token")],
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: [
      "name", "given_name", "family_name", "preferred_username", "nickname", "picture", "hd", "roles", "groups", "realm_access",
      "resource_access", "oid", "tid", "ver", "uti", "rh", "typ", "uid",
    ],
  },
  conformIdTokenClaims: false,
  cookies: { keys: ["a key of the tests"] },
  pkce: { required: () => true },
  issueRefreshToken: async (_, { clientId }) => clientId !== "no-refresh-token",
  rotateRefreshToken: true,
  findAccount(ctx, sub) {
    const user = users.get(sub);
    return user && {
      accountId: user.subject ?? sub,
      claims: (use) => user.claims ? { sub, ...user.claims[use] } : ({ sub, name: "A name of their own choice", preferred_username: sub, email: `${sub}@example.org`, ...((use === "id_token") === (ctx.oidc.client.clientId === "roles-in-id-token") && { roles: user.roles }) }),
    };
  },
  // Nobody is asked whether the console may know them.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope("openid profile email");
    await grant.save();
    return grant;
  },
});

// A console of the tests listens on whichever port is free.
const isLoopback = (address) => new URL(address).hostname === "127.0.0.1";
provider.Client.prototype.redirectUriAllowed = isLoopback;
provider.Client.prototype.postLogoutRedirectUriAllowed = isLoopback;

const answer = provider.callback();
createServer(async (request, response) => {
  if (request.method !== "POST" || request.url !== "/control") {
    const { status, text } = answers.get(request.url) ?? {};
    return status ? response.writeHead(status).end(text) : answer(request, response);
  }

  let body = "";
  for await (const part of request) body += part;
  const { user, roles, subject, claims, path, status, text } = JSON.parse(body);
  if (path) answers.set(path, { status, text });
  else if (roles || claims) users.set(user, { roles, subject, claims });
  else users.delete(user);
  response.end();
}).listen(port, "127.0.0.1", () => console.log(`listening on ${port}`));
