#!/usr/bin/env node
'use strict';
// Makes every call that an SDK has, and prints what came back.
//
//     NODE_PATH=.../node_modules node every.js --base http://127.0.0.1:PORT --package PACKAGE
//
// PACKAGE is @alicloud/fc20230330 or @alicloud/fc2. Credentials as send.js has them; one JSON
// object a line on stdout: `name`, `status`, `body`, `query` (whether there is one), and `error`.

const { load, unwrap, avoidProxies, option, environmentKeys } = require('./common.js');

avoidProxies();

const base = option('--base');
const keys = environmentKeys();

// Both SDKs send by node's own client, below whatever they make of an answer.
const http = require('http');
const seen = [];
const plain = http.request;
http.request = (...given) => {
  const request = plain(...given);
  request.on('response', (response) => {
    const entry = { status: response.statusCode, body: '', query: request.path.includes('?') };
    seen.push(entry);
    const push = response.push.bind(response);
    response.push = (chunk, encoding) => {
      entry.body += chunk ? chunk.toString() : '';
      return push(chunk, encoding);
    };
  });
  return request;
};

function fc20230330() {
  const module = load('@alicloud/fc20230330');
  const { $OpenApiUtil } = load('@alicloud/openapi-core');
  const dara = load('@darabonba/typescript');
  const Client = unwrap(module);
  const client = new Client(
    new $OpenApiUtil.Config({
      accessKeyId: keys.id,
      accessKeySecret: keys.secret,
      securityToken: keys.token,
      regionId: 'cn-hangzhou',
      endpoint: new URL(base).host,
      protocol: 'http',
    })
  );
  const filled = { string: 'a value', number: 3, boolean: true };
  const made = (name, values) => {
    const model = module[name];
    if (!model) {
      return {};
    }
    const fields = {};
    for (const [field, type] of Object.entries(model.types())) {
      const value = values ? values[field] : filled[type];
      if (value !== undefined) {
        fields[field] = value;
      }
    }
    return new model(fields);
  };
  const { Readable } = require('stream');
  const call = (label, method, values) => ({
    name: label,
    run: () => {
      const stem = method.slice(0, -'WithOptions'.length);
      const upper = stem[0].toUpperCase() + stem.slice(1);
      const given = parametersOf(Client.prototype[method]).map((name) => {
        if (name === 'runtime') {
          return new dara.RuntimeOptions({});
        }
        if (name === 'headers') {
          return made(`${upper}Headers`, values);
        }
        if (name === 'request' || name === 'tmpReq') {
          const request = made(`${upper}Request`);
          if (stem === 'invokeFunction') {
            request.body = Readable.from([Buffer.from('{"a": 1}')]);
          }
          return request;
        }
        return 'a-name';
      });
      return client[method](...given);
    },
  });
  const methods = Object.getOwnPropertyNames(Client.prototype).filter((name) => name.endsWith('WithOptions'));
  const headers = { xFcInvocationType: 'Sync', xFcLogType: 'Tail' };
  const calls = methods.sort().map((name) => call(name, name, headers));
  const later = { xFcInvocationType: 'Async', xFcLogType: 'Tail', xFcAsyncTaskId: 'task-1' };
  calls.push(call('invokeFunctionLater', 'invokeFunctionWithOptions', later));
  calls.push(call('invokeFunctionBare', 'invokeFunctionWithOptions', {}));
  return calls;
}

// What is no call of the service.
const HELPERS = [
  'constructor', 'buildHeaders', 'request', 'websocket', 'largeFunctionHelper', 'uploadCodeToTmpOssBucket',
  'normalizeParams', 'publishLayerVersionForBigCode', 'instanceExec', 'get', 'post', 'put', 'delete',
];

function fc2() {
  const FC = load('@alicloud/fc2');
  const client = new FC('1234567890123456', {
    accessKeyID: keys.id,
    accessKeySecret: keys.secret,
    securityToken: keys.token,
    region: 'cn-hangzhou',
    endpoint: base,
    timeout: 10000,
  });
  const methods = Object.getOwnPropertyNames(FC.prototype).filter((name) => !HELPERS.includes(name));
  const calls = methods.sort().map((name) => ({
    name,
    run: () => {
      const given = parametersOf(FC.prototype[name]).map((parameter) => {
        if (parameter === 'headers') {
          return {};
        }
        if (parameter === 'event') {
          return 'abc';
        }
        if (/^(options|params|payload|body|query|config)$/.test(parameter)) {
          return { description: 'a value', code: { zipFile: 'QQ==' } };
        }
        return 'a-name';
      });
      return client[name](...given);
    },
  }));
  const path = '/proxy/service/function/item';
  calls.push({ name: 'get', run: () => client.get(path, { b: '1', a: '2' }, { 'x-fc-trace-id': 't' }) });
  calls.push({ name: 'post', run: () => client.post(path, 'abc', {}, { z: '1', a: '2' }) });
  calls.push({ name: 'put', run: () => client.put(path, Buffer.from('abc'), {}) });
  calls.push({ name: 'delete', run: () => client.delete(path, { a: '1' }, {}) });
  const later = { 'x-fc-invocation-type': 'Async', 'x-fc-async-delay': '5' };
  calls.push({ name: 'postLater', run: () => client.post(path, 'abc', later) });
  return calls;
}

function parametersOf(method) {
  const text = method.toString();
  const list = text.slice(text.indexOf('(') + 1, text.indexOf(')'));
  return list.split(',').map((part) => part.split('=')[0].trim()).filter((part) => part);
}

async function main() {
  const calls = { '@alicloud/fc20230330': fc20230330, '@alicloud/fc2': fc2 }[option('--package')]();
  for (const { name, run } of calls) {
    seen.length = 0;
    let error = null;
    try {
      const answer = await run();
      if (answer && answer.body && typeof answer.body.resume === 'function') {
        answer.body.resume();
      }
    } catch (problem) {
      error = `${problem.name}: ${problem.message}`;
    }
    const last = seen[seen.length - 1] || { status: null, body: null, query: null };
    const line = { name, ...last, requests: seen.length, error: seen.length ? null : error };
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
