#!/usr/bin/env node
'use strict';
// What the real Node SDKs sign for given requests. Input and output are those of
// ../python/oracle.py: JSON lines in, JSON lines out, headers signed as given.

const querystring = require('querystring');
const readline = require('readline');
const { load, unwrap, parameters } = require('./common.js');

const FC = load('@alicloud/fc2');
const helper = load('@alicloud/fc2/lib/helper.js');
const OpenApiUtil = unwrap(load('@alicloud/openapi-util'));

function split(target) {
  const at = target.indexOf('?');
  return at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
}

function fc(entry, headers) {
  const [path, query] = split(entry.target);
  // As Client.request does: parameters count only under /proxy/.
  const queries = entry.dialect === 'fc/api' ? null : querystring.parse(query);
  return {
    string_to_sign: helper.composeStringToSign(entry.method, path, headers, queries),
    authorization: FC.getSignature(
      entry.access_key_id,
      entry.access_key_secret,
      entry.method,
      path,
      headers,
      queries
    ),
  };
}

// Runs `work` with a static method of OpenApiUtil noting its `at`-th argument.
function noting(method, at, work) {
  const plain = OpenApiUtil[method];
  const notes = [];
  OpenApiUtil[method] = (...given) => {
    notes.push(String(given[at]));
    return plain.apply(OpenApiUtil, given);
  };
  try {
    work();
  } finally {
    OpenApiUtil[method] = plain;
  }
  return notes[notes.length - 1];
}

function acs3(entry, headers, body) {
  const algorithm = entry.algorithm || 'ACS3-HMAC-SHA256';
  const [path, query] = split(entry.target);
  const request = { method: entry.method, pathname: path, query: parameters(query), headers };
  let payload = '';
  if (entry.dialect === 'acs3/node-doc') {
    // The documented sample goes through URL, and replaces the first `$` only.
    request.pathname = new URL(`http://host${entry.target}`).pathname.replace('$', '%24');
  } else {
    payload = OpenApiUtil.hexEncode(OpenApiUtil.hash(body, algorithm));
  }
  const result = {};
  result.canonical_request = noting('hash', 0, () => {
    result.string_to_sign = noting('signatureMethod', 1, () => {
      result.authorization = OpenApiUtil.getAuthorization(
        request,
        algorithm,
        payload,
        entry.access_key_id,
        entry.access_key_secret
      );
    });
  });
  return result;
}

function acs(entry, headers) {
  const [path, query] = split(entry.target);
  const request = { method: entry.method, pathname: path, query: parameters(query), headers };
  const text = OpenApiUtil.getStringToSign(request);
  const signature = OpenApiUtil.getROASignature(text, entry.access_key_secret);
  return { string_to_sign: text, authorization: `acs ${entry.access_key_id}:${signature}` };
}

const DIALECTS = {
  'fc/node-fc2': fc,
  'fc/api': fc,
  'acs3/node-doc': acs3,
  'acs3/node': acs3,
  'acs/node': acs,
};

function answer(entry) {
  const sign = DIALECTS[entry.dialect];
  if (!sign) {
    throw new Error(`not a dialect of these SDKs: ${entry.dialect}`);
  }
  const headers = {};
  for (const [name, value] of Object.entries(entry.headers)) {
    if (name.toLowerCase() !== 'authorization') {
      headers[name] = value;
    }
  }
  const body = entry.body_base64 == null
    ? Buffer.from(entry.body || '', 'utf8')
    : Buffer.from(entry.body_base64, 'base64');
  return sign(entry, headers, body);
}

const lines = readline.createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on('line', (line) => {
  if (!line.trim()) {
    return;
  }
  const entry = JSON.parse(line);
  const result = {
    name: entry.name,
    string_to_sign: null,
    canonical_request: null,
    authorization: null,
    error: null,
  };
  try {
    Object.assign(result, answer(entry));
  } catch (problem) {
    result.error = `${problem.name}: ${problem.message}`;
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
});
