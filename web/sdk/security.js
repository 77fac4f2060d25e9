// SPDX-License-Identifier: Apache-2.0
// Gestalt's security for Node programs: verifies tokens and API keys, checks rights, and guards
// express-style applications. Depends on nothing but Node.
//
//   const client = new SecurityClient({ url: "http://127.0.0.1:9000/security", apiKey, apiSecret });
//   app.use(authenticate(client));
//   app.post("/carts", requireRight("cart:write"), handler);   // req.principal says who
//
// An answer is kept for at most 30 seconds: a revoked credential lives on for no longer. While the
// service does not answer, nobody passes.
import { createHash } from "node:crypto";

const CACHE_MOST_MS = 30_000;
const REFUSED_MS = 1_000;

export class SecurityError extends Error {
  constructor(status, reason, message) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

const refused = () => new SecurityError(401, "credentials_invalid", "the credentials are not valid");

function checkGrantName(name) {
  if (name === "") throw new TypeError("grant name must be non-empty");
  const segments = name.split(":");
  if (segments.slice(0, -1).includes("**")) {
    throw new TypeError("invalid matcher; super-wildcard must be in the right-most field");
  }
  return segments;
}

// Whether two names of rights cover each other: `*` is one segment, `**` the rest, on either side.
export function matchesGrant(grant, test) {
  const a = checkGrantName(grant);
  const b = checkGrantName(test);
  for (let i = 0; ; ++i) {
    if (a[i] === "**" || b[i] === "**") return true;
    if (i === a.length || i === b.length) return a.length === b.length;
    if (a[i] !== b[i] && a[i] !== "*" && b[i] !== "*") return false;
  }
}

export function hasRight(principal, right) {
  return principal.rights.some((each) => {
    try {
      return matchesGrant(each.name, right);
    } catch {
      return false; // a malformed grant covers nothing
    }
  });
}

// The credential of an Authorization header: {kind: "token", token} or {kind: "key"}.
export function parseAuthorization(header) {
  const bearer = /^(?:Bearer +|token=)(\S+)$/i.exec(header);
  if (bearer) return { kind: "token", token: bearer[1] };
  const basic = /^Basic +([A-Za-z0-9+/_-]+={0,2})$/i.exec(header);
  if (!basic) return undefined;
  const pair = Buffer.from(basic[1], "base64").toString("utf8");
  const colon = pair.indexOf(":");
  return colon > 0 && colon + 1 < pair.length ? { kind: "key" } : undefined;
}

function principalOf(account, groups, rights, orgId) {
  if (!account || typeof account.id !== "string") throw refused();
  return {
    accountId: account.id,
    username: account.username,
    orgId,
    groupIds: (groups ?? []).map((each) => each.id),
    rights: (rights ?? []).map((each) => ({ name: each.grantName, value: each.grantValue })),
  };
}

export class SecurityClient {
  #url;
  #own;
  #keptMs;
  #entriesMax;
  #timeoutMs;
  #now;
  #cache = new Map();
  #waiting = new Map();

  constructor({ url, apiKey, apiSecret, cacheSeconds = 30, cacheMax = 10_000, timeoutMs = 5_000, now = Date.now }) {
    if (!url || !apiKey || !apiSecret) throw new TypeError("url, apiKey and apiSecret are needed");
    this.#url = url.replace(/\/+$/, "");
    this.#own = "Basic " + Buffer.from(`${apiKey}:${apiSecret}`).toString("base64");
    this.#keptMs = Math.min(cacheSeconds * 1000, CACHE_MOST_MS);
    this.#entriesMax = cacheMax;
    this.#timeoutMs = timeoutMs;
    this.#now = now;
  }

  // Resolves to {accountId, username, orgId, groupIds, rights}; rejects with a SecurityError of
  // status 401, or 503 when the service does not answer.
  async authenticate(header) {
    if (!header) throw new SecurityError(401, "credentials_missing", "no credentials were presented");
    const key = createHash("sha256").update(header).digest("base64");
    const kept = this.#cache.get(key);
    if (kept && this.#now() < kept.until) {
      if (kept.error) throw kept.error;
      return kept.principal;
    }
    // Many calls with one credential ask once.
    let asking = this.#waiting.get(key);
    if (!asking) {
      asking = this.#ask(header).finally(() => this.#waiting.delete(key));
      this.#waiting.set(key, asking);
    }
    try {
      const principal = await asking;
      this.#keep(key, { principal, until: this.#now() + this.#keptMs });
      return principal;
    } catch (error) {
      if (error.status === 401) this.#keep(key, { error, until: this.#now() + REFUSED_MS });
      throw error;
    }
  }

  #keep(key, entry) {
    if (this.#cache.size >= this.#entriesMax) this.#cache.clear();
    this.#cache.set(key, entry);
  }

  async #ask(header) {
    const shown = parseAuthorization(header);
    if (!shown) throw refused();
    if (shown.kind === "key") {
      const json = await this.#post("/auth", header);
      return principalOf(json.account, json.groups, json.rights, json.orgId);
    }
    const json = await this.#post("/oauth/inspect", this.#own, new URLSearchParams({ token: shown.token }));
    if (json.active !== true) throw refused();
    return principalOf(json.gestalt_account, json.gestalt_groups, json.gestalt_rights, json.gestalt_org_id);
  }

  async #post(path, authorization, body) {
    let reply;
    try {
      reply = await fetch(this.#url + path, {
        method: "POST",
        headers: { authorization, accept: "application/json" },
        body,
        redirect: "error",
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      if (reply.status === 401 || reply.status === 403) throw refused();
      if (reply.ok) return await reply.json();
    } catch (error) {
      if (error instanceof SecurityError) throw error;
      throw new SecurityError(503, "security_unavailable", `the security service does not answer: ${error.message}`);
    }
    throw new SecurityError(503, "security_unavailable", `the security service answered ${reply.status}`);
  }
}

function answer(response, error) {
  response.statusCode = error.status;
  if (error.status === 401) response.setHeader("WWW-Authenticate", ["Basic", "Bearer"]);
  response.setHeader("Content-Type", "application/problem+json");
  response.end(JSON.stringify({ type: `/problems/${error.reason}`, status: error.status, detail: error.message }));
}

// Middleware: sets request.principal, or answers 401 or 503.
export function authenticate(client) {
  return async (request, response, next) => {
    try {
      request.principal = await client.authenticate(request.headers.authorization);
    } catch (error) {
      if (error instanceof SecurityError) return answer(response, error);
      return next(error);
    }
    return next();
  };
}

// Middleware behind authenticate(): answers 403 to who lacks the right.
export function requireRight(right) {
  checkGrantName(right); // a mistake here is ours and shows at start
  return (request, response, next) => {
    if (!request.principal) {
      return answer(response, new SecurityError(401, "credentials_missing", "no credentials were presented"));
    }
    if (hasRight(request.principal, right)) return next();
    return answer(response, new SecurityError(403, "right_missing", `${request.principal.username} lacks ${right}`));
  };
}
