// What scripts of this page may do with functions of another origin, and what they may not.

const cases = [];
// What is allowed needs CORS; what is refused is so without it too.
const allowed = (name, run) => cases.push({ name, needs_cors: true, run });
const refused = (name, run) => cases.push({ name, needs_cors: false, run });

let to;

// --- by default --------------------------------------------------------------------------------

allowed("by default a simple request is read", async () => {
  const answer = await call(`${to.open}/`);
  equal(answer.status, 200);
  equal(answer.body.method, "GET");
});

allowed("by default the request id and the date are readable", async () => {
  const { headers } = await call(`${to.open}/`);
  matches(headers.get("x-fc-request-id"), /^1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}$/);
  matches(headers.get("date"), / GMT$/);
  equal(headers.get("x-hidden"), null);
});

allowed("by default cookies are set and sent with credentials, and not without", async () => {
  const credentials = "include";
  equal((await call(`${to.open}/cookie`, { credentials })).status, 200);
  matches((await call(`${to.open}/`, { credentials })).body.cookie, /seen=yes/);
  equal((await call(`${to.open}/`)).body.cookie, null);
});

allowed("by default a refusal is read", async () => {
  const answer = await call(`${to.open}/${"a".repeat(5000)}`);
  equal(answer.status, 400);
  equal(answer.body.ErrorCode, "InvalidArgument");
  matches(answer.headers.get("x-fc-request-id"), /^1-/);
});

allowed("by default a preflight is answered by the function", async () => {
  const answer = await call(`${to.open}/own-preflight`, { method: "PUT", body: "text" });
  equal(answer.body.method, "PUT");
  equal(answer.body.body, "text");
});

refused("by default a preflight that the function refuses is refused", () =>
  blocked(`${to.open}/`, { method: "PUT", body: "text" }));

refused("the origin that a function allows itself is the only one", () =>
  blocked(`${to.open}/own-origin`));

allowed("by default a page without an origin of its own reads", async () => {
  equal(await callFromSandbox(`${to.open}/`), 200);
});

// --- as configured -----------------------------------------------------------------------------

allowed("a preflighted request with credentials is carried out", async () => {
  const answer = await signedCall("PUT", "/put?b=2&a=1%20z", '{"text":"你"}', {
    credentials: "include",
  });
  equal(answer.status, 200);
  equal(answer.body.method, "PUT");
  equal(answer.body.body, '{"text":"你"}');
});

allowed("a request signed in the browser is verified", async () => {
  const answer = await signedCall("GET", "/signed", "");
  equal(answer.status, 200);
  equal(answer.body.caller, to.key.id);
});

allowed("a presigned URL is called without a preflight", async () => {
  const answer = await call(to.presigned);
  equal(answer.status, 200);
  equal(answer.body.caller, to.key.id);
});

allowed("why a request without a signature is refused is read", async () => {
  const answer = await call(`${to.signed}/`);
  equal(answer.status, 403);
  equal(answer.body.ErrorCode, "MissingRequiredHeader");
  matches(answer.headers.get("x-fc-request-id"), /^1-/);
});

allowed("why a wrong signature is refused is read", async () => {
  const answer = await signedCall("GET", "/", "", {}, "another-secret");
  equal(answer.status, 403);
  equal(answer.body.ErrorCode, "SignatureNotMatch");
});

allowed("the headers that are configured are readable, and no others", async () => {
  const { headers } = await call(to.presigned);
  equal(headers.get("x-exposed"), "seen");
  equal(headers.get("x-hidden"), null);
  equal(headers.get("date"), null);
});

refused("a method that is not configured is refused", () =>
  blocked(`${to.signed}/`, { method: "DELETE" }));

refused("a header that is not configured is refused", () =>
  blocked(`${to.signed}/`, { headers: { "x-other": "1" } }));

refused("a page without an origin of its own is refused", async () => {
  equal(await callFromSandbox(to.presigned), "blocked");
});

refused("an origin that is not configured is refused", () => blocked(`${to.elsewhere}/`));

refused("an origin that is not configured gets no preflight", () =>
  blocked(`${to.elsewhere}/`, { method: "PUT" }));

// --- every origin ------------------------------------------------------------------------------

allowed("of every origin, one reads", async () => {
  equal((await call(`${to.any}/`)).status, 200);
  equal(await callFromSandbox(`${to.any}/`), 200);
});

allowed("of every header, one is sent", async () => {
  equal((await call(`${to.any}/`, { headers: { "x-other": "1" } })).status, 200);
});

refused("authorization is none of every header", () =>
  blocked(`${to.any}/`, { headers: { authorization: "Bearer token" } }));

refused("where every origin is allowed, credentials are not", () =>
  blocked(`${to.any}/`, { credentials: "include" }));

// --- how ---------------------------------------------------------------------------------------

async function call(url, options) {
  const answer = await fetch(url, { cache: "no-store", ...options });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

// The server is there, and this is not for a script to read.
async function blocked(url, options) {
  await fetch(url, { mode: "no-cors", cache: "no-store" });
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store", ...options });
  } catch {
    return;
  }
  throw new Error(`was answered with ${answer.status}`);
}

// The status that a page of the origin "null" reads.
function callFromSandbox(url) {
  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts";
  frame.srcdoc = `<script>
    fetch(${JSON.stringify(url)}, { cache: "no-store" })
      .then((answer) => answer.status, () => "blocked")
      .then((outcome) => parent.postMessage(outcome, "*"));
  </script>`;
  return new Promise((resolve) => {
    const listen = (message) => {
      if (message.source !== frame.contentWindow) return;
      removeEventListener("message", listen);
      frame.remove();
      resolve(message.data);
    };
    addEventListener("message", listen);
    document.body.append(frame);
  });
}

// By ACS3-HMAC-SHA256, since scripts cannot set `date`.
async function signedCall(method, target, body, options = {}, secret = to.key.secret) {
  const url = new URL(target, to.signed);
  const headers = {
    host: url.host,
    "x-acs-date": new Date().toISOString(),
    "x-acs-content-sha256": await sha256(body),
    "x-acs-signature-nonce": crypto.randomUUID(),
  };
  if (body) headers["content-type"] = "application/json";
  const names = Object.keys(headers).sort();
  const query = [...url.searchParams].map((pair) => pair.map(encode).join("=")).sort().join("&");
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join("");
  const request = [method, url.pathname, query, lines, names.join(";"), await sha256(body)];
  const stringToSign = `ACS3-HMAC-SHA256\n${await sha256(request.join("\n"))}`;
  const signature = await hmac(secret, stringToSign);
  delete headers.host;
  headers.authorization =
    `ACS3-HMAC-SHA256 Credential=${to.key.id},SignedHeaders=${names.join(";")},Signature=${signature}`;
  return call(url, { method, headers, body: body || undefined, ...options });
}

const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => "%" + char.charCodeAt(0).toString(16));

const bytes = (text) => new TextEncoder().encode(text);

const hex = (buffer) =>
  [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const sha256 = async (text) => hex(await crypto.subtle.digest("SHA-256", bytes(text)));

async function hmac(secret, text) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes(secret), algorithm, false, ["sign"]);
  return hex(await crypto.subtle.sign("HMAC", key, bytes(text)));
}

function equal(found, expected) {
  if (found !== expected) throw new Error(`${found} is not ${expected}`);
}

function matches(found, pattern) {
  if (!pattern.test(found)) throw new Error(`${found} is not as ${pattern}`);
}

addEventListener("load", async () => {
  to = await (await fetch("/settings")).json();
  const outcomes = [];
  for (const { name, needs_cors, run } of cases) {
    const fault = await run().then(() => null, String);
    console.log(`${name}: ${fault ?? "as expected"}`);
    outcomes.push({ name, needs_cors, fault });
  }
  const headers = { "content-type": "application/json" };
  await fetch("/report", { method: "POST", headers, body: JSON.stringify(outcomes) });
});
