#!/usr/bin/env node
'use strict';
// Sends a table of requests with the real Node SDKs and prints what came back.
//
//     NODE_PATH=.../node_modules node send.js --base http://127.0.0.1:PORT [--only PREFIX]
//
// Credentials: ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and,
// optionally, ALIBABA_CLOUD_SECURITY_TOKEN. One JSON object a line on stdout;
// see ../README.md for the fields.

const crypto = require('crypto');
const { Readable } = require('stream');
const { load, unwrap, parameters, avoidProxies, option, environmentKeys } = require('./common.js');

avoidProxies();

const FC = load('@alicloud/fc2');
const OpenApiUtil = unwrap(load('@alicloud/openapi-util'));
const openApi = load('@alicloud/openapi-client');
const teaUtil = load('@alicloud/tea-util');
const tea = load('@alicloud/tea-typescript');
const httpx = load('httpx');
const axios = unwrap(load('axios'));

const SHA256 = 'ACS3-HMAC-SHA256';
const SM3 = 'ACS3-HMAC-SM3';

// fc2 and the HTTP core of the SDKs both send through httpx and turn an error
// status into an exception without the body, so the answer is noted there.
let seen = null;
const plainRequest = httpx.request;
const plainRead = httpx.read;
httpx.request = async (...given) => {
  const response = await plainRequest(...given);
  seen = { status: response.statusCode, body: null };
  return response;
};
httpx.read = async (...given) => {
  const body = await plainRead(...given);
  if (seen) {
    seen.body = body.toString();
  }
  return body;
};

const keep = (keys) => keys;
const wrongSecret = (keys) => ({ ...keys, secret: `${keys.secret}x` });
const unknownId = (keys) => ({ ...keys, id: `${keys.id}unknown` });
const wrongToken = (keys) => ({ ...keys, token: `${keys.token}x` });

const cases = [];

function table(prefix, scheme, dialect) {
  return (name, run, more = {}) => {
    cases.push({ name: `${prefix}/${name}`, scheme, dialect, run, expect: 200, ...more });
  };
}

// --- FC: @alicloud/fc2 ------------------------------------------------------

function fcClient(context, spoil = keep) {
  const keys = spoil(context.keys);
  return new FC('1234567890123456', {
    accessKeyID: keys.id,
    accessKeySecret: keys.secret,
    securityToken: keys.token,
    region: 'cn-hangzhou',
    endpoint: context.base,
    timeout: 10000,
  });
}

function proxy(method, path, { query = null, body = null, headers = {}, spoil } = {}) {
  return (context) => {
    // fc2 reads `body.pipe`, so a stream has to be made for each run.
    const made = typeof body === 'function' ? body() : body;
    const client = fcClient(context, spoil);
    return client.request(method, `/proxy/service/function${path}`, query, made, { ...headers });
  };
}

function fcCases() {
  const fc = table('fc', 'fc', 'fc/node-fc2');
  const two = { k1: 'v1', k2: 'v2' };
  const blob = Buffer.alloc(256 * 1024, Uint8Array.from({ length: 256 }, (_, at) => at));

  fc('get', (context) => fcClient(context).get('/proxy/service/function/', null, two));
  fc('get-query', (context) => fcClient(context).get('/proxy/service/function/q', { a: '1' }, two));
  fc('post', (context) => fcClient(context).post('/proxy/service/function/', 'abc', two, null));
  fc('put', (context) => fcClient(context).put('/proxy/service/function/', 'abc', two));
  fc('delete', (context) => fcClient(context).delete('/proxy/service/function/item', null, two));
  fc('patch', proxy('PATCH', '/item', { body: 'abc' }));
  fc('head', proxy('HEAD', '/item'));
  fc('options', proxy('OPTIONS', '/item'));
  // Bodies: each comes with a Content-MD5 (base64 of the hex digits), but a stream.
  fc('body-unicode', proxy('POST', '/text', { body: '正文 é' }));
  fc('body-binary', proxy('POST', '/binary', { body: blob }));
  fc('body-object', proxy('POST', '/json', { body: { a: [1, '中'] } }));
  fc('body-stream', proxy('POST', '/stream', { body: () => Readable.from([Buffer.from('one '), Buffer.from('two')]) }));
  // Headers.
  fc('x-fc-headers', proxy('GET', '/trace', { headers: { 'x-fc-trace-id': 't-1', 'X-Fc-Log-Type': 'Tail' } }));
  fc('x-fc-inner-spaces', proxy('GET', '/spaces', { headers: { 'x-fc-meta': 'one  two   three' } }));
  fc('content-type', proxy('GET', '/typed', { headers: { 'content-type': 'text/plain' } }));
  // Paths go out, and are signed, as given.
  fc('path-none', proxy('GET', ''));
  fc('path-pct20', proxy('GET', '/a%20b/c'));
  fc('path-unicode-pct', proxy('GET', '/%E4%B8%AD%E6%96%87/%C3%A9'));
  fc('path-lower-hex', proxy('GET', '/%e4%b8%ad'));
  fc('path-plus', proxy('GET', '/a+b'));
  fc('path-pct2f', proxy('GET', '/a%2Fb'));
  fc('path-tilde', proxy('GET', '/%7Euser/~x'));
  fc('path-double-slash', proxy('GET', '/a//b'));
  fc('path-dollar', proxy('GET', '/$latest/x'));
  // Queries.
  fc('query-unsorted', proxy('GET', '/q', { query: { z: '1', a: '2', m: '3', B: '4' } }));
  fc('query-repeated', proxy('GET', '/q', { query: { x: ['2', '1'], a: '1' } }));
  fc('query-spaces', proxy('GET', '/q', { query: { 'with space': 'foo bar' } }));
  fc('query-specials', proxy('GET', '/q', { query: { s: "*~!'()+/?:@=;,$" } }));
  fc('query-unicode', proxy('GET', '/q', { query: { 键: '值', e: 'é😀' } }));
  fc('query-empty-value', proxy('GET', '/q', { query: { a: '', b: '1' } }));
  fc('query-key-order', proxy('GET', '/q', { query: { a: '2', 'a-b': '1', a1: '0' } }));
  fc('query-ampersand', proxy('GET', '/q', { query: { a: '1&2', b: '3' } }));
  // A line feed in a value: the signed text of this one is also that of ?a=1&b=2.
  fc('query-line-feed', proxy('GET', '/q', { query: { a: '1\nb=2' } }), { expect: null });
  fc('websocket-handshake', websocket('/socket', { a: '1' }));
  // A management call: no line feed and no parameters after the path.
  table('fc', 'fc', 'fc/api')('api-list-services', (context) => fcClient(context).listServices({ limit: 5 }), {
    expect: null,
  });

  fc('refused/wrong-secret', proxy('GET', '/no', { query: { n: '1' }, spoil: wrongSecret }), { expect: 403 });
  fc('refused/post-wrong-secret', proxy('POST', '/no', { body: 'abc', spoil: wrongSecret }), { expect: 403 });
  fc('refused/unknown-id', proxy('GET', '/no', { query: { n: '2' }, spoil: unknownId }), { expect: 403 });
  fc('refused/wrong-token', proxy('GET', '/no', { query: { n: '3' }, spoil: wrongToken }), {
    expect: 403,
    needsToken: true,
  });
  // What fc2 signs is not what goes out.
  fc('rewritten/query-number', proxy('GET', '/no', { query: { n: 5, a: '1' } }), { expect: 403 });
  fc('rewritten/capital-content-type', proxy('GET', '/no', { headers: { 'Content-Type': 'text/plain' } }), {
    expect: 403,
  });
  // The URL parser sends %27, the raw quote was signed: what fc/py-gateway decodes.
  fc('rewritten/path-quote', proxy('GET', "/it's"), { expect: null });
}

// The handshake is what is signed. Open counts as 101.
function websocket(path, query) {
  return (context) =>
    new Promise((resolve, reject) => {
      const socket = fcClient(context).websocket(`/proxy/service/function${path}`, query);
      socket.on('open', () => {
        seen = { status: 101, body: '' };
        socket.terminate();
        resolve();
      });
      socket.on('unexpected-response', (request, response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () => {
          seen = { status: response.statusCode, body: Buffer.concat(parts).toString() };
          request.destroy();
          resolve();
        });
      });
      socket.on('error', reject);
    });
}

// --- ACS3, the way of the documented HTTP-trigger sample --------------------

function acs3Doc(method, target, { body, headers = {}, spoil = keep, algorithm = SHA256 } = {}) {
  return async (context) => {
    const keys = spoil(context.keys);
    const url = new URL(context.base + target);
    const request = {
      method,
      pathname: url.pathname.replace('$', '%24'),
      query: parameters(url.search.slice(1)),
      headers: {
        'x-acs-date': new Date().toISOString(),
        'x-acs-security-token': keys.token || '',
        ...headers,
      },
    };
    const authorization = OpenApiUtil.getAuthorization(request, algorithm, '', keys.id, keys.secret);
    const response = await axios({
      method,
      url: context.base + target,
      headers: { ...request.headers, authorization },
      data: body,
      proxy: false,
      maxRedirects: 0,
      responseType: 'text',
      transformResponse: (text) => text,
      validateStatus: () => true,
    });
    seen = { status: response.status, body: String(response.data) };
  };
}

function acs3DocCases() {
  const doc = table('acs3-doc', 'acs3', 'acs3/node-doc');
  doc('get', acs3Doc('GET', '/'));
  doc('post', acs3Doc('POST', '/doc', { body: 'abc' }));
  doc('post-content-type', acs3Doc('POST', '/doc', { body: '{"a":1}', headers: { 'content-type': 'application/json' } }));
  doc('put-own-headers', acs3Doc('PUT', '/doc', { body: 'abc', headers: { 'x-acs-meta': 'one  two', k1: 'v1' } }));
  doc('head', acs3Doc('HEAD', '/doc'));
  doc('delete', acs3Doc('DELETE', '/doc?a=1'));
  doc('path-none', acs3Doc('PATCH', '', { body: 'abc' }));
  doc('path-pct20', acs3Doc('GET', '/a%20b/c'));
  doc('path-raw-space', acs3Doc('GET', '/a b/c'));
  doc('path-unicode-pct', acs3Doc('GET', '/%E4%B8%AD%E6%96%87/%C3%A9'));
  doc('path-unicode-raw', acs3Doc('GET', '/中文/é'));
  doc('path-lower-hex', acs3Doc('GET', '/%e4%b8%ad'));
  doc('path-dollar', acs3Doc('GET', '/$latest/x'));
  doc('path-dollar-twice', acs3Doc('GET', '/$latest/a$b'));
  doc('path-plus', acs3Doc('GET', '/a+b'), { expect: null });
  doc('path-plus-twice', acs3Doc('GET', '/a+b+c'), { expect: null });
  doc('path-star', acs3Doc('GET', '/a*b'));
  doc('path-tilde', acs3Doc('GET', '/%7Euser'));
  doc('path-dot-segments', acs3Doc('GET', '/x/../dots'));
  doc('query-one', acs3Doc('GET', '/q?a=1'));
  doc('query-unsorted', acs3Doc('GET', '/q?z=1&a=2&m=3'));
  doc('query-pct', acs3Doc('GET', '/q?p=%2B%26%3D%2F&s=foo%20bar'));
  doc('query-plus', acs3Doc('GET', '/q?p=a+b'));
  doc('query-specials', acs3Doc('GET', "/q?s=*~!'()"));
  doc('query-unicode-pct', acs3Doc('GET', '/q?e=%C3%A9&v=%E5%80%BC'));
  doc('query-unicode-raw', acs3Doc('GET', '/q?raw=值'));
  doc('query-unicode-key', acs3Doc('GET', '/q?%E9%94%AE=1'));
  doc('query-empty-value', acs3Doc('GET', '/q?a=&b=1'));
  doc('query-valueless', acs3Doc('GET', '/q?flag&v=1'));
  // All but the last of a repeated key are not signed: the SDK's way, which a
  // strict verifier may turn down.
  doc('query-repeated', acs3Doc('GET', '/q?x=2&a=1&x=1'), { expect: null });
  doc('sm3', acs3Doc('GET', '/sm3?a=1', { algorithm: SM3 }));
  doc('refused/wrong-secret', acs3Doc('GET', '/no?1', { spoil: wrongSecret }), { expect: 403 });
  doc('refused/unknown-id', acs3Doc('GET', '/no?2', { spoil: unknownId }), { expect: 403 });
  doc('refused/wrong-token', acs3Doc('GET', '/no?3', { spoil: wrongToken }), { expect: 403, needsToken: true });
}

// --- ACS3 and ROA V1, the general way of every API --------------------------

function teaRequest(context, method, pathname, query, body, headers) {
  const request = new tea.Request();
  request.protocol = 'http';
  request.method = method;
  request.pathname = OpenApiUtil.getEncodePath(pathname);
  request.query = { ...query };
  request.headers = { host: context.authority, ...headers };
  if (body != null) {
    request.body = new tea.BytesReadable(body);
  }
  return request;
}

async function teaSend(request) {
  const response = await tea.doAction(request, { timeout: 10000 });
  await response.readBytes();
}

// openapi-util signs, the HTTP core of the SDKs sends.
function acs3General(
  method,
  pathname,
  { query, body, type, spoil = keep, algorithm = SHA256, after = () => {} } = {}
) {
  return async (context) => {
    const keys = spoil(context.keys);
    const payload = OpenApiUtil.hexEncode(OpenApiUtil.hash(Buffer.from(body || ''), algorithm));
    const headers = {
      'x-acs-version': '2023-03-30',
      'x-acs-action': 'InvokeFunction',
      'x-acs-date': OpenApiUtil.getTimestamp(),
      'x-acs-signature-nonce': crypto.randomUUID(),
      accept: 'application/json',
      'x-acs-content-sha256': payload,
    };
    if (type) {
      headers['content-type'] = type;
    }
    if (keys.token) {
      headers['x-acs-accesskey-id'] = keys.id;
      headers['x-acs-security-token'] = keys.token;
    }
    const request = teaRequest(context, method, pathname, query, body, headers);
    request.headers.Authorization = OpenApiUtil.getAuthorization(request, algorithm, payload, keys.id, keys.secret);
    after(request);
    await teaSend(request);
  };
}

// ROA signature V1 with openapi-util.
function roa(method, pathname, { query, body, headers = {}, spoil = keep } = {}) {
  return async (context) => {
    const keys = spoil(context.keys);
    const signed = {
      date: new Date().toUTCString(),
      'x-acs-version': '2023-03-30',
      'x-acs-action': 'InvokeFunction',
      'x-acs-signature-nonce': crypto.randomUUID(),
      'x-acs-signature-method': 'HMAC-SHA1',
      'x-acs-signature-version': '1.0',
      ...headers,
    };
    if (keys.token) {
      signed['x-acs-accesskey-id'] = keys.id;
      signed['x-acs-security-token'] = keys.token;
    }
    const request = teaRequest(context, method, pathname, query, body, signed);
    const signature = OpenApiUtil.getROASignature(OpenApiUtil.getStringToSign(request), keys.secret);
    request.headers.authorization = `acs ${keys.id}:${signature}`;
    await teaSend(request);
  };
}

// The whole generated-client way: callApi of openapi-client does everything.
// `algorithm` is the client's own setting; "v2" means ROA signature V1 there.
function callApi(method, pathname, { query, body, bodyType = 'json', algorithm, spoil = keep } = {}) {
  return async (context) => {
    const keys = spoil(context.keys);
    const client = new openApi.default(
      new openApi.Config({
        accessKeyId: keys.id,
        accessKeySecret: keys.secret,
        securityToken: keys.token,
        regionId: 'cn-hangzhou',
        endpoint: context.authority,
        protocol: 'http',
        signatureAlgorithm: algorithm,
      })
    );
    const params = new openApi.Params({
      action: 'InvokeFunction',
      version: '2023-03-30',
      protocol: 'http',
      pathname: OpenApiUtil.getEncodePath(pathname),
      method,
      authType: 'AK',
      style: 'ROA',
      reqBodyType: bodyType,
      bodyType: 'string',
    });
    const request = new openApi.OpenApiRequest({ query: { ...query }, body, headers: {} });
    await client.callApi(params, request, new teaUtil.RuntimeOptions({}));
  };
}

function generalCases() {
  const acs3 = table('acs3', 'acs3', 'acs3/node');
  const type = 'application/json; charset=utf-8';
  acs3('get', acs3General('GET', '/'));
  acs3('get-query', acs3General('GET', '/2023-03-30/functions', { query: { limit: '10', prefix: 'a b', A: '1' } }));
  acs3('get-unicode', acs3General('GET', '/中文/a b/é', { query: { v: '值', s: "*~!'()+/" } }));
  acs3('get-empty-value', acs3General('GET', '/q', { query: { a: '', b: '1' } }));
  acs3('get-key-to-encode', acs3General('GET', '/q', { query: { 'a b': '1', 键: '2' } }));
  acs3('post-json', acs3General('POST', '/json', { body: '{"a":1}', type }));
  acs3(
    'put-binary',
    acs3General('PUT', '/binary', { body: Buffer.from([0, 1, 254, 255]), type: 'application/octet-stream' })
  );
  acs3('delete', acs3General('DELETE', '/item'));
  acs3('head', acs3General('HEAD', '/item'));
  acs3('sm3-get', acs3General('GET', '/sm3', { query: { a: '1' }, algorithm: SM3 }));
  acs3('sm3-post', acs3General('POST', '/sm3', { body: 'abc', type: 'text/plain', algorithm: SM3 }));
  acs3('client-get', callApi('GET', '/client', { query: { b: '2', a: '1 +' } }));
  acs3('client-post-json', callApi('POST', '/client', { body: { a: ['中', 1] } }));
  acs3('client-post-form', callApi('POST', '/client', { body: { a: '1', b: 'x y' }, bodyType: 'formData' }));
  acs3('client-unicode', callApi('GET', '/中文 x', { query: { 键: '值' } }));
  acs3('client-sm3', callApi('POST', '/client', { body: { a: 1 }, algorithm: SM3 }));
  acs3('refused/wrong-secret', acs3General('GET', '/no', { spoil: wrongSecret }), { expect: 403 });
  acs3('refused/unknown-id', acs3General('GET', '/no', { spoil: unknownId }), { expect: 403 });
  acs3('refused/client-wrong-secret', callApi('GET', '/no', { spoil: wrongSecret }), { expect: 403 });
  // The signature is over the hash of the body that was meant.
  acs3(
    'refused/body-changed',
    acs3General('POST', '/no', {
      body: '{"a":1}',
      type,
      after: (request) => {
        request.body = new tea.BytesReadable('{"a":2}');
      },
    }),
    { expect: 403 }
  );

  const acs = table('acs', 'acs', 'acs/node');
  const accept = { accept: 'application/json' };
  acs('get', roa('GET', '/', { headers: accept }));
  // Signed with the word `undefined` in place of the accept header.
  acs('get-no-accept', roa('GET', '/no-accept'));
  acs('get-query', roa('GET', '/functions', { query: { limit: '10', prefix: 'a b', A: '1' }, headers: accept }));
  acs('get-unicode', roa('GET', '/中文/a b', { query: { 键: '值' }, headers: accept }));
  acs('get-empty-value', roa('GET', '/q', { query: { a: '', b: '1' }, headers: accept }));
  acs('post-json', roa('POST', '/json', { body: '{"a":1}', headers: { ...accept, 'content-type': type } }));
  const md5 = crypto.createHash('md5').update('{"a":1}').digest('base64');
  acs('post-md5', roa('POST', '/md5', { body: '{"a":1}', headers: { ...accept, 'content-md5': md5 } }));
  acs('client-get', callApi('GET', '/client', { query: { b: '2', a: '1 +' }, algorithm: 'v2' }));
  acs('client-post-json', callApi('POST', '/client', { body: { a: ['中', 1] }, algorithm: 'v2' }));
  acs('client-post-form', callApi('POST', '/client', { body: { a: '1' }, bodyType: 'formData', algorithm: 'v2' }));
  acs('refused/wrong-secret', roa('GET', '/no', { headers: accept, spoil: wrongSecret }), { expect: 403 });
  acs('refused/unknown-id', roa('GET', '/no', { headers: accept, spoil: unknownId }), { expect: 403 });
}

async function main() {
  const base = option('--base');
  if (!base) {
    process.stderr.write('usage: send.js --base http://127.0.0.1:PORT [--only PREFIX]\n');
    return 2;
  }
  const only = option('--only') || '';
  const context = {
    base: base.replace(/\/+$/, ''),
    authority: new URL(base).host,
    keys: environmentKeys(),
  };
  fcCases();
  acs3DocCases();
  generalCases();
  for (const one of cases) {
    if (!one.name.startsWith(only) || (one.needsToken && !context.keys.token)) {
      continue;
    }
    let error = null;
    seen = null;
    try {
      await one.run(context);
    } catch (problem) {
      error = `${problem.name}: ${problem.message}`;
    }
    const line = {
      name: one.name,
      scheme: one.scheme,
      dialect: one.dialect,
      anonymous: false,
      expect: one.expect,
      status: seen ? seen.status : null,
      body: seen ? seen.body : null,
      // An answer that an SDK turned into an exception is an answer still.
      error: seen ? null : error,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
  return 0;
}

// The clients keep their connections open: leave without waiting for them.
main().then(
  (code) => process.stdout.write('', () => process.exit(code)),
  (problem) => {
    process.stderr.write(`${problem.stack}\n`);
    process.exit(1);
  }
);
